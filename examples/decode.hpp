// SPDX-License-Identifier: MIT
// Reads one picture whole, or says why it can't.
#ifndef PROCPOOL_EXAMPLES_DECODE_HPP
#define PROCPOOL_EXAMPLES_DECODE_HPP

#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

inline std::string read_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::system_error(errno, std::generic_category(), "can't be read");
    return {std::istreambuf_iterator<char>(file), {}};
}

/// True for a JPEG without its end mark, for which libjpeg paints the missing part grey and reports success.
inline bool is_cut_off_jpeg(std::string_view bytes) {
    if (!bytes.starts_with("\xff\xd8\xff")) return false;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
    std::size_t at = 2;
    while (at + 1 < bytes.size()) {
        const int mark = byte(at + 1);
        const bool fill_or_restart = mark == 0 || mark == 0xff || (mark >= 0xd0 && mark <= 0xd7);
        if (byte(at) != 0xff || fill_or_restart) {
            ++at;  // coded data
        } else if (mark == 0xd9) {
            return false;
        } else if (at + 3 < bytes.size()) {
            at += 2U + byte(at + 2) * 256U + byte(at + 3);
        } else {
            break;
        }
    }
    return true;
}

/// The picture as 8-bit BGR, turned upright.
/// @throws std::runtime_error with the reason if there is no picture or not all of it
inline cv::Mat decode(const std::string& file) {
    if (is_cut_off_jpeg(read_bytes(file))) throw std::runtime_error("truncated: the JPEG's end is missing");
    cv::Mat picture = cv::imread(file);
    if (!picture.empty()) return picture;
    throw std::runtime_error(cv::haveImageReader(file) ? "damaged or truncated" : "not an image for OpenCV");
}

#endif
