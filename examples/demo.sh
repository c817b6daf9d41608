#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# demo.sh BUILD_DIR: runs the image batch on a large folder of pictures, with the pool and without it, then on
# pictures with two bad files among them. It is BUILD_DIR/examples/image_batch; what it makes goes to BUILD_DIR/demo.
# demo.sh BUILD_DIR mpi: runs cluster_images on those pictures, on two virtual hosts. Where these can't be made it is two
# ranks on this machine. What it makes goes to BUILD_DIR/demo_mpi.
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

# Pictures with a truncated file among them, and one that makes the decoder abort, in $work/photos.
make_photos() {
    cp "${photos[@]}" "$work/photos"
    head -c 60000 "$work/photos/castle-maintenon.jpg" >"$work/photos/truncated.jpg"
    # A medical image whose download broke off after its signature: OpenCV's DICOM reader (GDCM) fails an assertion.
    { head -c 128 /dev/zero && printf DICM; } >"$work/photos/scan.dcm"
}
# Those two, and no others, are listed in $work/photos.txt.
check_failures() {
    grep -q "^failed: .*scan.dcm: .*signal 6" "$work/photos.txt" || fail "scan.dcm is not listed as a crash"
    grep -q "^failed: .*truncated.jpg: truncated" "$work/photos.txt" || fail "truncated.jpg is not listed as truncated"
    (($(grep -c "^failed: " "$work/photos.txt") == 2)) || fail "more files failed than the two bad ones"
}

demo_mpi() {
    local status=0 mpi=openmpi options=(--oversubscribe)
    if ldd "$program" | grep -q libmpich; then mpi=mpich options=(); fi
    make_photos
    step "Decoding ${#photos[@]} pictures and two bad files on two virtual hosts"
    bash "$(dirname "$0")/../tests/mpi/run.sh" "$mpi" hosts:2 2 "$program" "$work/photos.png" "$work"/photos/* \
        >"$work/photos.txt" || status=$?
    if ((status == 77)); then # nobody may make hosts here
        step "The same with two ranks on this machine, each as if it were a node"
        status=0
        export PROCPOOL_MPI_NODE_PER_RANK=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
        timeout -k 5 60 "mpiexec.$mpi" "${options[@]}" -n 2 \
            "$program" "$work/photos.png" "$work"/photos/* >"$work/photos.txt" || status=$?
    fi
    cat "$work/photos.txt"
    ((status == 0)) || fail "cluster_images ended with status $status"
    check_failures
    (($(grep -c "^rank [01] .* made [1-9]" "$work/photos.txt") == 2)) || fail "one of the two hosts has made no picture"
    step "As expected: both hosts have worked, and each bad file has cost only itself"
    echo "contact sheet  $work/photos.png"
}

[[ $# == 1 || ${2-} == mpi ]] || fail "usage: demo.sh BUILD_DIR [mpi]"
programs=$1/examples
work=$1/demo${2+_mpi}
program=$programs/$([[ ${2-} ]] && echo cluster_images || echo image_batch)
[[ -x $program ]] || fail "$program isn't built (it needs OpenCV: core, imgproc, imgcodecs${2+; and MPI})"
for photo in "${photos[@]}"; do
    [[ -r $photo ]] || fail "no $photo; install the Debian packages palapeli-data and scribus-template"
done
rm -rf "$work"
mkdir -p "$work/photos"
if [[ ${2-} ]]; then
    demo_mpi
    exit
fi

# So many that the time is that of the work. They are read once before, so that no run waits for the disk.
mkdir "$work/many"
copies=30
step "Decoding and scaling $((copies * ${#photos[@]})) pictures into one shared array: with the pool, then serially"
for ((copy = 0; copy < copies; ++copy)); do
    for photo in "${photos[@]}"; do ln -s "$photo" "$work/many/$copy-${photo##*/}"; done
done
cat "${photos[@]}" >/dev/null
batch 0 many --report "$work/many"
batch 0 many_serial --serial "$work/many"
cmp "$work/many.npy" "$work/many_serial.npy" || fail "the pool's array differs from the serial one"
echo "The two arrays are identical."
seconds() { sed -n 's/.* in \([0-9.]*\) s with.*/\1/p' "$work/$1.txt"; }
workers=$(sed -n 's/.* with \([0-9]*\) workers.*/\1/p' "$work/many.txt")
awk -v pool="$(seconds many)" -v serial="$(seconds many_serial)" -v workers="$workers" 'BEGIN {
    printf "The pool of %d workers took %.2f s, the program alone %.2f s: %.2f times as fast.\n",
        workers, pool, serial, serial / pool }'

step "Putting a truncated file and one that makes the decoder abort among ${#photos[@]} real pictures"
make_photos
echo "Without the pool that is the end:"
serial_status=0
("$programs/image_batch" --out "$work/photos_serial" --serial "$work/photos" || exit $?) 2>"$work/photos_serial.txt" ||
    serial_status=$?
((serial_status > 128)) || fail "scan.dcm doesn't kill this OpenCV's decoder, so it shows nothing here"
echo "image_batch --serial was killed by SIG$(kill -l "$serial_status")"

step "The same folder with the pool (the decoder's last words come from the worker that it kills)"
batch 1 photos --report "$work/photos"
check_failures
for page in many photos; do [[ -s $work/$page.html ]] || fail "there is no $work/$page.html"; done

step "As expected: two bad files, ${#photos[@]} good pictures"
echo "array          $work/photos.npy"
echo "contact sheet  $work/photos.png"
echo "what the workers did when, to be opened in a browser: $work/many.html, $work/photos.html"
grep "^failed: " "$work/photos.txt"
