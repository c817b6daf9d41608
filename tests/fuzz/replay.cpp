// SPDX-License-Identifier: MIT
// Runs a fuzz target on the files of a corpus, without a fuzzer.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/property.hpp"

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& place) {
    if (!fs::is_directory(place)) return {place};
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(place)) files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
}

/// In a block of just their size, so that a sanitizer sees who reads beyond.
std::vector<char> bytes_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    fuzz::require(in.is_open(), "a file of the corpus can be read");
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    return {bytes.begin(), bytes.end()};
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t count = 0;
    for (int i = 1; i < argc; ++i)
        for (const fs::path& file : files_of(argv[i])) {
            std::printf("%s\n", file.c_str());
            std::fflush(stdout);  // the last name is the one that failed
            const std::vector<char> bytes = bytes_of(file);
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
            ++count;
        }
    std::printf("%zu files\n", count);
    return count > 0 ? 0 : 1;
}
