// SPDX-License-Identifier: MIT
// Decodes all images of a folder in worker processes, straight into one shared array (n, rows, cols, 3).
// A file that is damaged, or that kills its decoder, costs only itself: it is listed at the end.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <procpool/interop/numpy.hpp>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>
#include <procpool/progress.hpp>
#include <procpool/shared_array.hpp>
#include <procpool/statistics.hpp>

#include "contact_sheet.hpp"
#include "decode.hpp"
#include "fit.hpp"

namespace mp = procpool;

using Images = mp::SharedArray<std::uint8_t, 4>;      // (n, rows, cols, 3), RGB
using Files = std::vector<std::string>;               // in the order of the array
using Failures = std::map<std::size_t, std::string>;  // position of a file, why it failed

constexpr const char* usage =
    "usage: image_batch [options] FOLDER\n"
    "Decodes every file of FOLDER, in the order of the names, into one array of RGB images.\n"
    "  --workers N    worker processes (default: as many as this machine has CPUs for us)\n"
    "  --size WxH     size of the images in the array (default 256x192); proportions are kept, the rest is "
    "black\n"
    "  --serial       the same job in this process, without the pool\n"
    "  --report       tell what the workers did, and write PREFIX.html: which of them did what when\n"
    "  --out PREFIX   write PREFIX.npy (the array) and PREFIX.png (a contact sheet); default image_batch\n"
    "Exit status: 0, 1 if some files failed (their images are black), 2 if nothing could be done.\n";

struct Options {
    std::string folder;
    std::string out = "image_batch";
    int workers = static_cast<int>(mp::cpu_count());
    int cols = 256;
    int rows = 192;
    bool serial = false;
    bool report = false;
};

std::optional<Options> parse(int argc, char** argv) {
    Options options;
    char rest = 0;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        const char* value = i + 1 < argc ? argv[i + 1] : "";
        if (name == "--workers" && std::sscanf(value, "%d%c", &options.workers, &rest) == 1)
            ++i;
        else if (name == "--size" && std::sscanf(value, "%dx%d%c", &options.cols, &options.rows, &rest) == 2)
            ++i;
        else if (name == "--out" && *value != 0)
            options.out = argv[++i];
        else if (name == "--serial")
            options.serial = true;
        else if (name == "--report")
            options.report = true;
        else if (!name.starts_with("--") && options.folder.empty())
            options.folder = name;
        else
            return std::nullopt;
    }
    const bool sound = options.workers > 0 && options.cols > 0 && options.rows > 0 && !options.folder.empty();
    return sound ? std::optional(options) : std::nullopt;
}

Files files_of(const std::string& folder) {
    Files files;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.is_regular_file()) files.push_back(entry.path().string());
    if (files.empty()) throw std::runtime_error("no files in " + folder);
    std::ranges::sort(files);
    return files;
}

// [load_one]
/// Image i of the array as OpenCV sees it: the same memory, no copy.
cv::Mat image_at(const Images& images, std::size_t i) {
    const auto rows = static_cast<int>(images.shape()[1]), cols = static_cast<int>(images.shape()[2]);
    return {rows, cols, CV_8UC3, images[i].data()};
}

/// Decodes file i into its place in the array: in the middle, as large as it fits.
void load_one(const Images& images, const Files& files, std::size_t i) {
    fit(decode(files[i]), image_at(images, i));
}
// [/load_one]

// [load_all]
Failures load_all(const Images& images, const Files& files, const Options& options) {
    mp::Pool pool({.processes = options.workers,
                   .output = mp::worker_output::lines,  // a decoder's last words don't tear the progress line
                   .statistics = options.report,
                   .trace = options.report ? options.out + ".html" : ""});
    const auto all = std::views::iota(std::size_t{0}, files.size());
    // [progress]
    const auto loaded = pool.try_map(mp::partial(load_one, images, files), all,
                                     {.progress = mp::progress("decoding", {.unit = "images"})});
    // [/progress]
    Failures failures;
    for (const std::size_t i : all) try {
            loaded[i].value();
        } catch (const std::exception& error) {
            failures[i] = error.what();
        }
    if (options.report) std::cout << pool.stats();
    return failures;
}
// [/load_all]

Failures load_all_serially(const Images& images, const Files& files) {
    Failures failures;
    for (std::size_t i = 0; i < files.size(); ++i) try {
            load_one(images, files, i);
        } catch (const std::exception& error) {
            failures[i] = error.what();
        }
    return failures;
}

cv::Mat sheet_of(const Images& images, const Files& files, const Failures& failures) {
    std::vector<cv::Mat> cells;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < files.size(); ++i) {
        cells.push_back(failures.contains(i) ? cv::Mat() : image_at(images, i));
        names.push_back(std::filesystem::path(files[i]).filename().string());
    }
    return contact_sheet(cells, names);
}

int main(int argc, char** argv) try {
    cv::setNumThreads(1);  // the workers are the parallelism, and the pool forks: no threads before it
    const auto options = parse(argc, argv);
    if (!options) {
        std::fputs(usage, stderr);
        return 2;
    }
    const Files files = files_of(options->folder);
    const Images images({files.size(), std::size_t(options->rows), std::size_t(options->cols), 3});

    const auto start = std::chrono::steady_clock::now();
    const Failures failures =
        options->serial ? load_all_serially(images, files) : load_all(images, files, *options);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

    mp::interop::save_npy(options->out + ".npy", images);
    if (!cv::imwrite(options->out + ".png", sheet_of(images, files, failures)))
        throw std::runtime_error("can't write " + options->out + ".png");
    const std::string by =
        options->serial ? "without the pool" : "with " + std::to_string(options->workers) + " workers";
    std::printf("%zu of %zu images in %.3f s %s: %s.npy, %s.png\n", files.size() - failures.size(),
                files.size(), seconds.count(), by.c_str(), options->out.c_str(), options->out.c_str());
    for (const auto& [i, reason] : failures)
        std::printf("failed: %s: %s\n", files[i].c_str(), reason.c_str());
    return failures.empty() ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "image_batch: %s\n", error.what());
    return 2;
}
