// SPDX-License-Identifier: MIT
// A folder for the files of a test.
#ifndef PROCPOOL_TESTS_SUPPORT_TEMPORARY_FOLDER_HPP
#define PROCPOOL_TESTS_SUPPORT_TEMPORARY_FOLDER_HPP

#include <filesystem>
#include <random>
#include <stdexcept>
#include <string>

namespace test {

/// New and empty; gone at the end with all that is in it.
class temporary_folder {
public:
    temporary_folder() {
        std::random_device random;
        path_ = (std::filesystem::temp_directory_path() / "procpool-test-").string() +
                std::to_string(random()) + "-" + std::to_string(random());
        if (!std::filesystem::create_directory(path_))
            throw std::runtime_error("can't make a temporary folder");
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    ~temporary_folder() { std::filesystem::remove_all(path_); }

    std::string path(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

}  // namespace test

#endif
