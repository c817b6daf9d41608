// SPDX-License-Identifier: MIT
// A plugin that is built anew while the program runs.
#ifndef PROCPOOL_TESTS_SUPPORT_REBUILT_LIBRARY_HPP
#define PROCPOOL_TESTS_SUPPORT_REBUILT_LIBRARY_HPP

#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>

#include "procpool/detail/os/module.hpp"
#include "support/temporary_folder.hpp"

namespace test {

/// A copy of a small library that every glibc system has and no program needs. Another build of it is the
/// same with another build id.
class rebuilt_library {
public:
    using function = std::size_t();

    rebuilt_library() {
        open("libBrokenLocale.so.1");
        const auto code = procpool::detail::os::locate_code(reinterpret_cast<std::uintptr_t>(get()));
        std::ifstream file(code.value().path, std::ios::binary);
        bytes_.assign(std::istreambuf_iterator<char>(file), {});
        if (!code->module.is_build_id()) throw std::runtime_error("a system without build ids");
        id_ = code->module.text();
        close();
        write();
        open(path());
    }
    rebuilt_library(const rebuilt_library&) = delete;
    rebuilt_library& operator=(const rebuilt_library&) = delete;
    ~rebuilt_library() { close(); }

    function* get() const { return reinterpret_cast<function*>(::dlsym(handle_, "__ctype_get_mb_cur_max")); }
    std::string path() const { return folder_.path("plugin.so"); }

    void close() {
        if (handle_) ::dlclose(handle_);
        handle_ = nullptr;
    }
    /// Closes it and loads the next build from the same path.
    void replace() {
        close();
        const auto digit = [](char c) { return static_cast<char>(c <= '9' ? c - '0' : c - 'a' + 10); };
        std::string id;
        for (std::size_t i = 0; i < id_.size(); i += 2)
            id += static_cast<char>(digit(id_[i]) * 16 + digit(id_[i + 1]));
        const auto at = bytes_.find(id);
        if (at == std::string::npos) throw std::runtime_error("the build id is not in the file");
        bytes_[at] = static_cast<char>(bytes_[at] ^ 1);
        id_[1] = "0123456789abcdef"[digit(id_[1]) ^ 1];
        write();
        open(path());
    }

private:
    void open(const std::string& path) {
        handle_ = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!handle_) throw std::runtime_error(::dlerror());
    }
    // What is loaded keeps the old file, as with a compiler that writes a new one.
    void write() const {
        std::ofstream(path() + ".new", std::ios::binary) << bytes_;
        std::filesystem::rename(path() + ".new", path());
    }

    temporary_folder folder_;
    std::string bytes_, id_;
    void* handle_ = nullptr;
};

}  // namespace test

#endif
