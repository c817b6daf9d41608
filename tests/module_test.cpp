// SPDX-License-Identifier: MIT
// Functions as locations in modules: detail/os/module.hpp and detail/wire/code_address.hpp.
#include "procpool/detail/os/module.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <cereal/types/memory.hpp>

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "procpool/detail/wire/code_address_impl.hpp"
#include "support/processes.hpp"
#include "support/rebuilt_library.hpp"

namespace module_test {

namespace os = procpool::detail::os;
namespace wire = procpool::detail::wire;

int cube(int x) { return x * x * x; }
template <int N>
int plus(int x) {
    return x + N;
}

template <class Function>
std::uintptr_t address_of(Function* function) {
    return reinterpret_cast<std::uintptr_t>(function);
}

template <class Function>
Function* sent(Function* function) {
    wire::buffer bytes;
    wire::encode_function(bytes, function);
    wire::cursor from(bytes.bytes());
    return wire::decode_function<Function>(from);
}

template <class Function>
std::string refusal_of(const os::code_location& location, const std::string& path = {}) {
    wire::buffer bytes;
    bytes.append_value(location);
    bytes.append_value(std::uint64_t{path.size()});
    bytes.append(path.data(), path.size());
    wire::cursor from(bytes.bytes());
    try {
        wire::decode_function<Function>(from);
    } catch (const procpool::SerializationError& error) {
        return error.what();
    }
    return "found";
}

/// A small library that every glibc system has and no program needs.
class small_library {
public:
    using function = std::size_t();

    small_library() : handle_(::dlopen("libBrokenLocale.so.1", RTLD_NOW | RTLD_LOCAL)) {
        if (!handle_) throw std::runtime_error(::dlerror());
    }
    small_library(const small_library&) = delete;
    small_library& operator=(const small_library&) = delete;
    ~small_library() { ::dlclose(handle_); }

    function* its_function() const {
        return reinterpret_cast<function*>(::dlsym(handle_, "__ctype_get_mb_cur_max"));
    }

private:
    void* handle_;
};

// ---- os/module.hpp

TEST(KnownCode, keeps_two_addresses_that_have_one_place) {
    const std::uintptr_t first = address_of(&cube) & ~std::uintptr_t{15};
    const wire::known_code* const one = wire::find_known_code(first);
    ASSERT_TRUE(one);
    // The program's code is longer than that, forwards or backwards.
    const std::uintptr_t distance = 1024 * 16;
    const std::uintptr_t second = wire::find_code(first + distance) ? first + distance : first - distance;
    const wire::known_code* const other = wire::find_known_code(second);
    ASSERT_TRUE(other);
    const wire::known_code* const again = wire::find_known_code(first);
    EXPECT_EQ(wire::find_known_code(second), wire::find_known_code(second));
    EXPECT_EQ(wire::find_known_code(first), again) << "found anew each time";
    EXPECT_EQ(again->address, first);
    EXPECT_EQ(wire::find_known_code(second)->address, second);
    EXPECT_EQ(again->address, first) << "the second address took its place";
}

TEST(Module, code_of_the_program_is_located_and_found_again) {
    const auto location = os::locate_code(address_of(cube));
    ASSERT_TRUE(location);
    EXPECT_EQ(os::resolve_code(*location), address_of(cube));
    EXPECT_NE(location->offset, address_of(cube)) << "relative to where the program is loaded";
    const auto next = os::locate_code(address_of(plus<1>));
    ASSERT_TRUE(next);
    EXPECT_TRUE(next->module == location->module);
    EXPECT_EQ(next->offset - location->offset, address_of(plus<1>) - address_of(cube));
}

TEST(Module, each_shared_library_is_a_module_of_its_own) {
    const small_library library;
    const auto in_program = os::locate_code(address_of(cube));
    const auto in_libc = os::locate_code(address_of(&::getenv));
    const auto in_library = os::locate_code(address_of(library.its_function()));
    ASSERT_TRUE(in_program && in_libc && in_library);
    EXPECT_FALSE(in_program->module == in_libc->module);
    EXPECT_FALSE(in_library->module == in_libc->module);
    EXPECT_EQ(os::resolve_code(*in_library), address_of(library.its_function()));
}

TEST(Module, what_is_no_code_is_not_located) {
    static const int in_program = 0;
    const int on_stack = 0;
    const auto on_heap = std::make_unique<int>(0);
    for (const std::uintptr_t address :
         {std::uintptr_t{0}, std::uintptr_t{1}, ~std::uintptr_t{0}, address_of(&in_program),
          address_of(&on_stack), address_of(on_heap.get())})
        EXPECT_FALSE(os::locate_code(address)) << std::hex << address;
}

TEST(Module, a_location_that_lies_leads_nowhere) {
    const auto good = os::locate_code(address_of(cube));
    ASSERT_TRUE(good);
    const auto on_heap = std::make_unique<int>(0);
    const std::uintptr_t base = address_of(cube) - good->offset;
    for (const std::uint64_t offset :
         {~std::uint64_t{0}, std::uint64_t{1} << 40, address_of(on_heap.get()) - base})
        EXPECT_EQ(os::resolve_code({good->module, offset}), 0u) << offset;
    EXPECT_EQ(os::resolve_code({os::module_id(), good->offset}), 0u);
    const std::array<std::byte, 20> unknown{std::byte{1}};
    EXPECT_EQ(os::resolve_code({os::module_id::of_build(unknown), good->offset}), 0u);
}

TEST(Module, ids_are_equal_if_all_their_bytes_are) {
    std::array<std::byte, 40> bytes{};
    const auto all = os::module_id::of_build(bytes);
    EXPECT_TRUE(all == os::module_id::of_build(std::span(bytes).first(os::module_id::max_size)));
    EXPECT_FALSE(all == os::module_id::of_build(std::span(bytes).first(20)));
    bytes[29] = std::byte{1};
    EXPECT_FALSE(all == os::module_id::of_build(bytes));
    bytes[29] = std::byte{0};
    bytes[30] = std::byte{1};
    EXPECT_TRUE(all == os::module_id::of_build(bytes)) << "longer ids are cut off";
}

// ---- wire/code_address.hpp

TEST(CodeAddress, functions_of_program_and_libraries_travel) {
    const small_library library;
    EXPECT_EQ(sent(cube), &cube);
    EXPECT_EQ(sent(&::getenv), &::getenv);
    EXPECT_EQ(sent(library.its_function()), library.its_function());
    EXPECT_EQ(sent(library.its_function())(), library.its_function()());
}

TEST(CodeAddress, of_a_library_that_was_closed_and_built_anew_is_that_of_the_new_one) {
    test::rebuilt_library library;
    for (int build = 0; build < 3; ++build) {
        auto* const before = library.get();
        const os::code_location old = *wire::find_code(address_of(before));
        library.replace();
        if (library.get() != before) GTEST_SKIP() << "it was not loaded at the same address";
        const os::code_location now = *wire::find_code(address_of(library.get()));
        EXPECT_FALSE(now.module == old.module);
        EXPECT_EQ(sent(library.get()), library.get());
    }
    auto* const gone = library.get();
    library.close();
    wire::buffer bytes;
    EXPECT_THROW(wire::encode_function(bytes, gone), procpool::SerializationError);
}

TEST(CodeAddress, many_functions_are_told_apart) {
    const auto check = []<int... N>(std::integer_sequence<int, N...>) {
        for (int round = 0; round < 2; ++round)
            EXPECT_EQ((std::array{sent(&plus<N>)(1)...}), (std::array{N + 1 ...}));
    };
    check(std::make_integer_sequence<int, 200>());
}

TEST(CodeAddress, threads_may_locate_functions_at_once) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([] {
            for (int round = 0; round < 200; ++round) {
                EXPECT_EQ(sent(&plus<1>), &plus<1>);
                EXPECT_EQ(sent(&plus<2>), &plus<2>);
                EXPECT_EQ(sent(&::getenv), &::getenv);
            }
        });
    for (auto& thread : threads) thread.join();
}

TEST(CodeAddress, what_is_no_function_of_this_program_is_refused) {
    wire::buffer bytes;
    int (*none)(int) = nullptr;
    EXPECT_THROW(wire::encode_function(bytes, none), procpool::SerializationError);
    const auto on_heap = std::make_unique<std::array<char, 64>>();
    EXPECT_THROW(wire::encode_function(bytes, reinterpret_cast<int (*)(int)>(on_heap.get())),
                 procpool::SerializationError);
    EXPECT_TRUE(bytes.empty());
}

TEST(CodeAddress, a_location_cut_off_or_made_up_is_refused) {
    wire::buffer bytes;
    wire::encode_function(bytes, &cube);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
        wire::cursor from(bytes.bytes().first(cut));
        EXPECT_THROW(wire::decode_function<int(int)>(from), procpool::SerializationError);
    }
    EXPECT_NE(refusal_of<int(int)>({}).find("the worker has no such function"), std::string::npos);
}

// ---- in another process

/// A child that was forked before the parent loaded the library: what becomes of the library's function
/// there.
template <class InChild>
test::child_end sent_to_child(InChild in_child) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::bad_alloc();
    test::child_program child([&] {
        os::code_location location;
        std::uintptr_t in_parent = 0;
        if (::read(ends[0], &location, sizeof location) != sizeof location ||
            ::read(ends[0], &in_parent, sizeof in_parent) != sizeof in_parent)
            return 98;
        return in_child(location, in_parent);
    });
    {
        const small_library library;
        const std::uintptr_t address = address_of(library.its_function());
        const os::code_location& location = *wire::find_code(address);
        EXPECT_EQ(::write(ends[1], &location, sizeof location), static_cast<ssize_t>(sizeof location));
        EXPECT_EQ(::write(ends[1], &address, sizeof address), static_cast<ssize_t>(sizeof address));
    }
    ::close(ends[0]);
    ::close(ends[1]);
    return child.wait();
}

TEST(CodeAddress, a_library_loaded_after_the_fork_is_refused_where_none_may_be_loaded) {
    const auto end = sent_to_child([](const os::code_location& location, std::uintptr_t) {
        const std::string refusal = refusal_of<std::size_t()>(location, "/lib/libBrokenLocale.so.1");
        return refusal.find("libBrokenLocale.so.1 is not loaded there") != std::string::npos ? 0 : 1;
    });
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

TEST(CodeAddress, a_library_loaded_after_the_fork_is_loaded_in_workers_too) {
    const auto end = sent_to_child([](const os::code_location& location, std::uintptr_t) {
        wire::may_load_libraries = true;
        const auto path = [] {
            const small_library library;  // and away again
            return os::locate_code(address_of(library.its_function()))->path;
        }();
        if (os::resolve_code(location) != 0) return 2;
        return refusal_of<std::size_t()>(location, path) == "found" ? 0 : 1;
    });
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

TEST(CodeAddress, a_library_that_cannot_be_loaded_is_named) {
    const auto end = sent_to_child([](const os::code_location& location, std::uintptr_t) {
        wire::may_load_libraries = true;
        const std::string refusal = refusal_of<std::size_t()>(location, "/no/such/library.so");
        return refusal.find("/no/such/library.so") != std::string::npos ? 0 : 1;
    });
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

TEST(CodeAddress, another_build_is_refused_with_both_build_ids) {
    const small_library library;
    auto location = *os::locate_code(address_of(library.its_function()));
    const std::string here = location.module.text();
    constexpr std::array other{std::byte{0xab}, std::byte{0x01}};
    location.module = os::module_id::of_build(other);
    const std::string refusal = refusal_of<std::size_t()>(location, location.path);
    EXPECT_NE(refusal.find(location.path + " is another build in the worker (build id " + here +
                           ") than in the program (build id ab01)"),
              std::string::npos)
        << refusal;
}

TEST(CodeAddress, a_function_is_found_where_its_library_is_loaded_at_another_address) {
    const auto end = sent_to_child([](const os::code_location& location, std::uintptr_t in_parent) {
        // The place that the parent's copy got is taken here.
        constexpr std::uintptr_t page = 4096;
        void* const place = reinterpret_cast<void*>(in_parent / page * page);
        if (::mmap(place, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
            MAP_FAILED)
            return 2;
        const small_library library;
        const std::uintptr_t here = address_of(library.its_function());
        if (here == in_parent) return 3;
        return os::resolve_code(location) == here ? 0 : 4;
    });
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

TEST(CodeAddress, is_found_in_children_that_are_forked_while_another_thread_looks_for_one) {
    os::locate_code(address_of(&cube));  // what is made at the first use is not what this is about
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop) os::locate_code(address_of(&cube));
    });
    for (int i = 0; i < 300; ++i) {
        test::child_program child([] {
            ::alarm(20);  // instead of hanging
            return os::locate_code(address_of(&cube)) ? 0 : 1;
        });
        const auto end = child.wait();
        EXPECT_EQ(end.signal, 0);
        EXPECT_EQ(end.exit_code, 0) << end.errors;
        if (testing::Test::HasFailure()) break;
    }
    stop = true;
    other.join();
}

}  // namespace module_test
