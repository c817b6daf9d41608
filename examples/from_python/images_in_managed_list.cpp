// SPDX-License-Identifier: MIT
// Images read into a managed list by one process per CPU, each with its own
// range of files.
//
//   images = Manager().list()
//   for k in range(cpu_count()):
//       Process(target=read_files, args=(images, first(k), first(k +
//       1))).start()
//   ... join; images = list(images)                # in no known order
#include <algorithm>
#include <iostream>
#include <ranges>
#include <string>
#include <vector>

#include <procpool/cpu_count.hpp>
#include <procpool/interop/opencv.hpp>
#include <procpool/manager.hpp>
#include <procpool/partial.hpp>
#include <procpool/pool.hpp>
#include <procpool/process.hpp>

#include "noise_images.hpp"
#include "start_method.hpp"

namespace mp = procpool;

void read_files(const mp::ListProxy<cv::Mat>& images, const std::string& prefix, int first, int last) {
    for (int i = first; i < last; ++i) images.append(read_one_file(prefix, i));
}

double sum_of(const cv::Mat& image) { return cv::sum(image)[0]; }

int main(int argc, char** argv) {
    choose_start_method(argc, argv);
    cv::setNumThreads(1);
    constexpr int n = 200;
    const ImageFolder folder;
    mp::Pool().map(mp::partial(write_one_file, 100, 100, folder.prefix()), std::views::iota(0, n));

    mp::Manager manager;
    const auto managed = manager.list<cv::Mat>();
    const int workers = mp::cpu_count();
    std::vector<mp::Process> processes;
    for (int k = 0; k < workers; ++k) {  // ranges that need not divide evenly
        processes.emplace_back(read_files, managed, folder.prefix(), n * k / workers, n * (k + 1) / workers);
        processes.back().start();
    }
    for (mp::Process& one : processes) one.join();
    const std::vector<cv::Mat> images = managed.to_vector();

    std::vector<double> sums,
        serial;  // of pixels: to compare images whose order nobody knows
    for (const cv::Mat& image : images) sums.push_back(sum_of(image));
    for (int i = 0; i < n; ++i) serial.push_back(sum_of(read_one_file(folder.prefix(), i)));
    std::ranges::sort(sums);
    std::ranges::sort(serial);
    std::cout << images.size() << " images, " << (sums == serial ? "the same" : "OTHERS")
              << " as read serially\n";
}
