#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# demo.sh BUILD_DIR: runs the image batch on 2000 noise images, then on real pictures with two bad files among
# them. The programs are in BUILD_DIR/examples; what they make goes to BUILD_DIR/demo.
set -euo pipefail
ulimit -c 0 # one program below is meant to crash

# Real pictures from two small Debian packages, palapeli-data and scribus-template
photos=(/usr/share/palapeli/collection/*.jpg
    /usr/share/palapeli/backgrounds/{Eliminator,Rear,Time,gon}-*.jpg
    /usr/share/scribus/templates/{br2/*.jpg,menu1/teriyaki.png,menu2/pizza.jpg,nl1-bw/kites-bw.png})

step() { printf '\n==> %s\n' "$*"; }

fail() {
    printf '%s: %s\n' "$0" "$*" >&2
    exit 1
}

# Runs the batch, keeps what it prints in $work/NAME.txt and checks its exit status.
batch() { # STATUS NAME ARGUMENT...
    local expected=$1 name=$2 status=0
    shift 2
    "$programs/image_batch" --out "$work/$name" "$@" >"$work/$name.txt" || status=$?
    cat "$work/$name.txt"
    ((status == expected)) || fail "image_batch $* ended with status $status instead of $expected"
}

[[ $# == 1 ]] || fail "usage: demo.sh BUILD_DIR"
programs=$1/examples
work=$1/demo
for program in image_batch make_noise_images; do
    [[ -x $programs/$program ]] || fail "$programs/$program isn't built (it needs OpenCV: core, imgproc, imgcodecs)"
done
for photo in "${photos[@]}"; do
    [[ -r $photo ]] || fail "no $photo; install the Debian packages palapeli-data and scribus-template"
done
rm -rf "$work"
mkdir -p "$work/noise" "$work/photos"

step "Making 2000 noise images with the pool"
"$programs/make_noise_images" "$work/noise/image" 2000

step "Decoding them into one shared array: with the pool, then serially"
batch 0 noise --size 100x100 "$work/noise"
batch 0 noise_serial --size 100x100 --serial "$work/noise"
cmp "$work/noise.npy" "$work/noise_serial.npy" || fail "the pool's array differs from the serial one"
echo "The two arrays are identical."

step "Putting a truncated file and one that makes the decoder abort among ${#photos[@]} real pictures"
cp "${photos[@]}" "$work/photos"
head -c 60000 "$work/photos/castle-maintenon.jpg" >"$work/photos/truncated.jpg"
# A medical image whose download broke off after its signature: OpenCV's DICOM reader (GDCM) fails an assertion.
{ head -c 128 /dev/zero && printf DICM; } >"$work/photos/scan.dcm"
echo "Without the pool that is the end:"
serial_status=0
("$programs/image_batch" --out "$work/photos_serial" --serial "$work/photos" || exit $?) 2>"$work/photos_serial.txt" ||
    serial_status=$?
((serial_status > 128)) || fail "scan.dcm doesn't kill this OpenCV's decoder, so it shows nothing here"
echo "image_batch --serial was killed by SIG$(kill -l "$serial_status")"

step "The same folder with the pool (the decoder's last words come from the worker that it kills)"
batch 1 photos "$work/photos"
grep -q "^failed: .*/scan.dcm: .*signal 6" "$work/photos.txt" || fail "scan.dcm is not listed as a crash"
grep -q "^failed: .*/truncated.jpg: truncated" "$work/photos.txt" || fail "truncated.jpg is not listed as truncated"
(($(grep -c "^failed: " "$work/photos.txt") == 2)) || fail "more files failed than the two bad ones"

step "As expected: two bad files, ${#photos[@]} good pictures"
echo "array          $work/photos.npy"
echo "contact sheet  $work/photos.png"
grep "^failed: " "$work/photos.txt"
