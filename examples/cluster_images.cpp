// SPDX-License-Identifier: MIT
// Decodes pictures on all machines that it is started on, and makes one sheet of them: mpiexec -n 3 --map-by
// ppr:1:node ./cluster_images SHEET.png FILE...
// A file that is damaged, or that kills its decoder, costs only itself.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <cereal/types/utility.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <procpool/interop/opencv.hpp>
#include <procpool/mpi.hpp>

#include "contact_sheet.hpp"
#include "decode.hpp"
#include "fit.hpp"

namespace mp = procpool;

/// The picture, scaled down, and the worker that did it.
std::pair<cv::Mat, std::uint32_t> load(const std::string& file) {
    cv::Mat image(192, 256, CV_8UC3, cv::Scalar());
    fit(decode(file), image);
    return {image, mp::worker_index().value()};
}

int make_sheet(const std::string& sheet, const std::vector<std::string>& files) {
    mp::mpi::Pool pool;
    const auto outcomes = pool.try_map(load, files, {.chunksize = 1});

    const auto nodes = pool.nodes();
    std::vector<std::size_t> pictures_of(nodes.size());
    std::vector<cv::Mat> images(files.size());
    std::vector<std::string> names;
    for (std::size_t i = 0; i < files.size(); ++i) {
        names.push_back(std::filesystem::path(files[i]).filename().string());
        try {
            const auto& [image, worker] = outcomes[i].value();
            images[i] = image;
            // Workers are numbered through all nodes.
            std::size_t node = 0;
            for (std::size_t left = worker; left >= nodes[node].workers; ++node) left -= nodes[node].workers;
            ++pictures_of[node];
        } catch (const std::exception& error) {
            std::printf("failed: %s: %s\n", names[i].c_str(), error.what());
        }
    }
    for (std::size_t i = 0; i < nodes.size(); ++i)
        std::printf("rank %d on %s: %zu workers made %zu pictures\n", nodes[i].rank, nodes[i].host.c_str(),
                    nodes[i].workers, pictures_of[i]);
    return cv::imwrite(sheet, contact_sheet(images, names)) ? 0 : 1;
}

int main(int argc, char** argv) {
    return mp::mpi::run(argc, argv, [](int count, char** arguments) {
        if (count < 3) {
            std::fputs("usage: cluster_images SHEET.png FILE...\n", stderr);
            return 2;
        }
        return make_sheet(arguments[1], {arguments + 2, arguments + count});
    });
}
