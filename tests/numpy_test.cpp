// SPDX-License-Identifier: MIT
#include "procpool/interop/numpy.hpp"

#include <gtest/gtest.h>

#include <complex>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <string>
#include <system_error>
#include <vector>

#include "support/arrays.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace numpy_test {

using procpool::ArrayView;
using procpool::SharedArray;
using procpool::interop::load_npy;
using procpool::interop::map_npy;
using procpool::interop::NpyHeader;
using procpool::interop::save_npy;
using test::message_of;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

class numpy_files : public test::arrays {
protected:
    numpy_files() { std::iota(numbers.begin(), numbers.end(), 0); }

    /// A file with this header, and bytes that count from 0 after it.
    std::string file_with(const NpyHeader& header, std::size_t bytes) {
        std::ofstream file(path, std::ios::binary);
        file << header.bytes();
        for (std::size_t i = 0; i < bytes; ++i) file.put(static_cast<char>(i));
        return path;
    }

    template <class T, std::size_t Rank>
    std::string refusal() {
        return message_of<procpool::Error>([&] { (void)load_npy<T, Rank>(path); });
    }

    const test::temporary_folder folder;
    const std::string path = folder.path("array.npy");
    std::vector<int> numbers = std::vector<int>(24);
    const ArrayView<int, 3> view{numbers.data(), {2, 3, 4}};
};

TEST_F(numpy_files, that_were_saved_load_as_they_were) {
    save_npy(path, view);
    const auto loaded = load_npy<int, 3>(path);
    EXPECT_TRUE(loaded == view);
    loaded(0, 0, 0) = 9;
    EXPECT_TRUE((load_npy<int, 3>(path) == view)) << "it was a copy";
    save_npy(path, SharedArray<double, 1>::of({1, 2}));
    EXPECT_TRUE(
        (load_npy<double, 1>(path) == ArrayView(std::array{1., 2.}.data(), std::array{std::size_t{2}})));
}

TEST_F(numpy_files, that_were_saved_are_mapped_as_they_were) {
    save_npy(path, view);
    const auto mapped = map_npy<int, 3>(path);
    EXPECT_TRUE(mapped == view);
    EXPECT_EQ(test::mappings(), 0u) << "no memory was taken";
    save_npy(folder.path("empty.npy"), ArrayView<const float, 2>(nullptr, {0, 5}));
    EXPECT_EQ((map_npy<float, 2>(folder.path("empty.npy")).shape()), (std::array<std::size_t, 2>{0, 5}));
    EXPECT_EQ((load_npy<float, 2>(folder.path("empty.npy")).shape()), (std::array<std::size_t, 2>{0, 5}));
}

TEST_F(numpy_files, of_transposed_arrays_are_in_fortran_order) {
    save_npy(path, view.transposed());
    std::ifstream file(path, std::ios::binary);
    const NpyHeader header = NpyHeader::read(file);
    EXPECT_TRUE(header.fortran_order);
    EXPECT_EQ(header.shape, (std::vector<std::size_t>{4, 3, 2}));
    std::vector<int> in_file(24);
    file.read(reinterpret_cast<char*>(in_file.data()), 24 * sizeof(int));
    EXPECT_EQ(in_file, numbers) << "as they lie in memory";
    const auto loaded = load_npy<int, 3>(path);
    EXPECT_TRUE(loaded == view.transposed());
    EXPECT_TRUE(loaded.is_contiguous());
    const std::string text = message_of<procpool::Error>([&] { (void)map_npy<int, 3>(path); });
    EXPECT_TRUE(contains(text, "Fortran order: use load_npy")) << text;
}

TEST_F(numpy_files, of_other_views_have_their_elements_in_order) {
    const auto some = view.transposed({1, 0, 2}).slice(2, {.step = -2});
    save_npy(path, some);
    EXPECT_TRUE((map_npy<int, 3>(path) == some));
    const auto flags = SharedArray<bool, 2>::of({{true, false, true}, {false, false, true}});
    save_npy(path, flags.slice(1, {.step = -1}));
    EXPECT_TRUE((load_npy<bool, 2>(path) == flags.slice(1, {.step = -1})));
}

TEST_F(numpy_files, larger_than_a_buffer_are_whole) {
    const SharedArray<std::int16_t, 2> large({700, 501});
    std::iota(large.begin(), large.end(), std::int16_t{0});
    save_npy(path, large.slice(0, {.step = -1}));
    EXPECT_TRUE((load_npy<std::int16_t, 2>(path) == large.slice(0, {.step = -1})));
    save_npy(path, large.transposed());
    EXPECT_TRUE((load_npy<std::int16_t, 2>(path) == large.transposed()));
}

TEST_F(numpy_files, in_the_other_byte_order_are_turned_when_loaded) {
    file_with({.dtype = ">u4", .shape = {2}}, 8);
    EXPECT_EQ((load_npy<std::uint32_t, 1>(path).to_vector()), (std::vector{0x00010203u, 0x04050607u}));
    const std::string text = message_of<procpool::Error>([&] { (void)map_npy<std::uint32_t, 1>(path); });
    EXPECT_TRUE(contains(text, "another byte order: use load_npy")) << text;
    file_with({.dtype = ">u2", .fortran_order = true, .shape = {2, 2}}, 8);
    EXPECT_EQ((load_npy<std::uint16_t, 2>(path).to_vector()),
              (std::vector<std::uint16_t>{0x0001, 0x0405, 0x0203, 0x0607}));
}

TEST_F(numpy_files, with_other_bytes_than_0_and_1_as_bool_are_true) {
    file_with({.dtype = "|b1", .shape = {3}}, 3);
    EXPECT_EQ((load_npy<bool, 1>(path).to_vector()), (std::vector{false, true, true}));
}

TEST_F(numpy_files, of_one_column_have_any_order) {
    file_with({.dtype = "|u1", .fortran_order = true, .shape = {4, 1}}, 4);
    EXPECT_EQ((map_npy<std::uint8_t, 2>(path)(3, 0)), 3);
}

TEST_F(numpy_files, of_other_elements_are_refused) {
    file_with({.dtype = "<f4", .shape = {2}}, 8);
    const std::string text = refusal<double, 1>();
    EXPECT_TRUE(contains(text, "element type mismatch")) << text;
    EXPECT_TRUE(contains(text, "the file holds <f4, asked for double (<f8)")) << text;
    EXPECT_TRUE(contains(text, path)) << text;
    EXPECT_TRUE(contains((refusal<int, 1>()), "element type mismatch")) << "of the same size";
    EXPECT_TRUE(contains(message_of<procpool::Error>([&] { (void)map_npy<double, 1>(path); }), "mismatch"));
    for (const char* const dtype : {"<U5", "|S4", "<M8[ns]", "|V8", "<f2", "", "float32"}) {
        file_with({.dtype = dtype, .shape = {2}}, 16);
        EXPECT_TRUE(contains((refusal<float, 1>()), "element type mismatch")) << dtype;
    }
    file_with({.dtype = "|O", .shape = {2}}, 16);
    EXPECT_TRUE(contains((refusal<float, 1>()), "Python objects"));
}

TEST_F(numpy_files, of_another_rank_are_refused) {
    file_with({.dtype = "<f4", .shape = {2, 3}}, 24);
    const std::string text = refusal<float, 1>();
    EXPECT_TRUE(contains(text, "rank mismatch): the file holds 2, of shape (2, 3), asked for 1")) << text;
    file_with({.dtype = "<f4", .shape = {}}, 4);
    EXPECT_TRUE(contains((refusal<float, 1>()), "rank mismatch"));
}

TEST_F(numpy_files, that_are_truncated_are_refused) {
    file_with({.dtype = "<f4", .shape = {2, 3}}, 23);
    const std::string text = refusal<float, 2>();
    EXPECT_TRUE(contains(text, "is truncated: an array of shape (2, 3) takes 24 bytes, there are 23"))
        << text;
    EXPECT_TRUE(contains(message_of<procpool::Error>([&] { (void)map_npy<float, 2>(path); }), "truncated"));
    file_with({.dtype = "<f4", .shape = {2, 3}}, 30);
    EXPECT_EQ((load_npy<float, 2>(path).size()), 6u) << "what follows is not the array's";
}

TEST_F(numpy_files, whose_shape_overflows_are_refused) {
    constexpr std::size_t large = std::numeric_limits<std::size_t>::max();
    for (const std::vector<std::size_t>& shape :
         {std::vector{large, large}, std::vector{large / 4, std::size_t{1}},
          std::vector{large / 2 + 1, std::size_t{2}}, std::vector{std::size_t{0}, large}}) {
        file_with({.dtype = "<f4", .shape = shape}, 4);
        EXPECT_TRUE(contains((refusal<float, 2>()), "is larger than any file")) << shape[0];
    }
    file_with({.dtype = "|u1", .shape = {std::size_t{1} << 60}}, 4);
    EXPECT_TRUE(contains((refusal<std::uint8_t, 1>()), "is truncated")) << "before memory is taken";
}

TEST_F(numpy_files, that_are_something_else_are_refused) {
    std::ofstream(path) << "hello, world";
    EXPECT_EQ((refusal<float, 1>()), "procpool: " + path + " is no NumPy file (.npy)");
    try {
        (void)load_npy<float, 1>(folder.path("none.npy"));
        FAIL() << "there is no such file";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
        EXPECT_TRUE(contains(error.what(), "none.npy")) << error.what();
    }
}

TEST_F(numpy_files, that_are_folders_are_refused) {
    EXPECT_TRUE(contains(message_of<procpool::Error>([&] { (void)load_npy<float, 1>(folder.path("")); }),
                         "is no NumPy file"));
}

TEST_F(numpy_files, that_are_not_aligned_are_loaded_but_not_mapped) {
    std::ofstream file(path, std::ios::binary);
    const std::string text = "{'descr': '<u4', 'fortran_order': False, 'shape': (1,)}";
    file << "\x93NUMPY" << '\1' << '\0' << static_cast<char>(text.size()) << '\0' << text;
    ASSERT_NE((10 + text.size()) % 4, 0u);
    file << std::string("\1\0\0\0", 4);
    file.close();
    EXPECT_EQ((load_npy<std::uint32_t, 1>(path)[0]), 1u);
    EXPECT_TRUE(contains(message_of<procpool::Error>([&] { (void)map_npy<std::uint32_t, 1>(path); }),
                         "isn't aligned: use load_npy"));
}

TEST_F(numpy_files, that_can_not_be_written_are_an_error) {
    EXPECT_THROW(save_npy(folder.path("none/array.npy"), view), std::system_error);
}

TEST_F(numpy_files, for_which_the_disk_is_too_full_are_an_error) {
    if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no disk is full here";
    const SharedArray<char, 1> large({1 << 20});
    for (const auto& write :
         {+[](const SharedArray<char, 1>& array) { save_npy("/dev/full", array); },
          +[](const SharedArray<char, 1>& array) { save_npy("/dev/full", array.slice(0, {.to = 1})); },
          +[](const SharedArray<char, 1>& array) { save_npy("/dev/full", array.slice(0, {.step = 2})); }})
        try {
            write(large);
            ADD_FAILURE() << "the disk was not full";
        } catch (const std::system_error& error) {
            EXPECT_EQ(error.code(), std::errc::no_space_on_device);
            EXPECT_TRUE(contains(error.what(), "/dev/full")) << error.what();
        }
}

// ---- NumPy's own files

/// A Python that has NumPy; none if there isn't any.
const std::string& python() {
    static const std::string found = [] {
        for (const std::string command : {"python3", "/usr/bin/python3"})
            if (std::system((command + " -c 'import numpy' 2>/dev/null").c_str()) == 0) return command;
        return std::string();
    }();
    return found;
}

class numpy_itself : public numpy_files {
protected:
    void SetUp() override {
        if (python().empty()) GTEST_SKIP() << "there is no Python with NumPy";
    }

    /// Runs Python code that finds numpy as np, the file as `path`, and `numbers`, 0 to 23, as an array.
    void run(const std::string& code) const {
        const std::string script = folder.path("script.py");
        std::ofstream(script) << "import sys, numpy as np\n"
                                 "path = sys.argv[1]\n"
                                 "numbers = np.arange(24).reshape(2, 3, 4)\n"
                              << code << "\n";
        EXPECT_EQ(std::system((python() + " " + script + " " + path).c_str()), 0) << code;
    }

    /// Checks what writes_what_is_loaded has let Python write with this dtype.
    template <class T>
    void expect_to_load(const std::string& dtype) const {
        for (const std::string order : {"<", ">", "="})
            for (const std::string layout : {"C", "F"}) {
                const std::string name = order + dtype + layout;
                const auto loaded = load_npy<T, 3>(path + name);
                for (int i = 0; i < 24; ++i) EXPECT_EQ(loaded.data()[i], static_cast<T>(i)) << name << i;
                if (name == "=" + dtype + "C") {
                    EXPECT_TRUE((map_npy<T, 3>(path + name) == loaded));
                }
            }
    }
};

TEST_F(numpy_itself, writes_what_is_loaded) {
    run("for dtype in ['b1', 'u1', 'i2', 'u4', 'i8', 'f4', 'f8', 'c16']:\n"
        "    for order in '<>=':\n"
        "        for layout in 'CF':\n"
        "            with open(path + order + dtype + layout, 'wb') as file:\n"
        "                np.save(file, np.asarray(numbers, dtype=order + dtype, order=layout))");
    expect_to_load<bool>("b1");
    expect_to_load<std::uint8_t>("u1");
    expect_to_load<std::int16_t>("i2");
    expect_to_load<std::uint32_t>("u4");
    expect_to_load<std::int64_t>("i8");
    expect_to_load<float>("f4");
    expect_to_load<double>("f8");
    expect_to_load<std::complex<double>>("c16");
}

TEST_F(numpy_itself, writes_each_version_of_the_format) {
    for (const std::string version : {"(1, 0)", "(2, 0)", "(3, 0)"}) {
        run("with open(path, 'wb') as file:\n"
            "    np.lib.format.write_array(file, numbers.astype('f4'), version=" +
            version + ")");
        EXPECT_EQ((map_npy<float, 3>(path)(1, 2, 3)), 23);
        EXPECT_EQ((load_npy<float, 3>(path)(1, 2, 3)), 23);
    }
}

TEST_F(numpy_itself, writes_what_is_refused) {
    run("np.save(path, np.zeros(3, dtype=[('x', 'f4'), ('y', 'i8', (2, 2))]))");
    EXPECT_TRUE(contains((refusal<float, 1>()), "holds structures"));
    run("np.save(path, np.array([None, 'x'], dtype=object), allow_pickle=True)");
    EXPECT_TRUE(contains((refusal<float, 1>()), "holds Python objects"));
    run("np.save(path, np.array(['x']))");
    EXPECT_TRUE(contains((refusal<float, 1>()), "element type mismatch"));
    run("np.savez(open(path, 'wb'), numbers=numbers)");
    EXPECT_TRUE(contains((refusal<float, 1>()), "is no NumPy file"));
}

TEST_F(numpy_itself, reads_what_is_saved) {
    const std::string check =
        "array = np.load(path); mapped = np.load(path, mmap_mode='r')\n"
        "assert (array == mapped).all()\n";
    save_npy(path, view);
    run(check + "assert array.dtype == 'i4' and array.flags.c_contiguous and (array == numbers).all()");
    save_npy(path, view.transposed());
    run(check + "assert array.flags.f_contiguous and (array == numbers.T).all()");
    save_npy(path, view.slice(2, {.from = 3, .step = -2}).transposed({1, 2, 0}));
    run(check + "assert (array == numbers[:, :, 3::-2].transpose(1, 2, 0)).all()");
    save_npy(path, SharedArray<std::complex<float>, 1>::of({{1, 2}, {3, 4}}));
    run(check + "assert array.dtype == 'c8' and (array == [1 + 2j, 3 + 4j]).all()");
    save_npy(path, SharedArray<const bool, 2>::of({{true, false}}));
    run(check + "assert array.dtype == bool and (array == [[True, False]]).all()");
    save_npy(path, SharedArray<std::uint8_t, 3>({0, 2, 3}));
    run("assert np.load(path).shape == (0, 2, 3)");
}

TEST_F(numpy_itself, sees_a_shared_array_by_its_path) {
    const auto array = SharedArray<double, 2>::of({{1, 2, 3}, {4, 5, 6}});
    run("array = np.memmap('" + array.path() + "', dtype='" + procpool::interop::numpy_dtype<double>() +
        "', mode='r+', shape=(2, 3))\n"
        "assert (array == [[1, 2, 3], [4, 5, 6]]).all()\n"
        "array[1] *= 10");
    EXPECT_EQ(array.to_vector(), (std::vector<double>{1, 2, 3, 40, 50, 60}));
}

}  // namespace numpy_test
