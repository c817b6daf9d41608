// SPDX-License-Identifier: MIT
#include "procpool/interop/npy_header.hpp"

#include <gtest/gtest.h>

#include <complex>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "support/message_of.hpp"

namespace npy_header_test {

using procpool::interop::NpyHeader;
using procpool::interop::numpy_dtype;

using sizes = std::vector<std::size_t>;

/// The beginning of a file: the length takes two bytes in version 1, and four later.
std::string file_start(const std::string& dictionary, int version = 1) {
    std::string bytes = "\x93NUMPY";
    bytes += {static_cast<char>(version), '\0'};
    for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
        bytes += static_cast<char>(dictionary.size() >> (8 * i) & 0xff);
    return bytes + dictionary;
}

NpyHeader read(const std::string& bytes) {
    std::istringstream file(bytes);
    return NpyHeader::read(file);
}

std::string refusal(const std::string& bytes) {
    return test::message_of<procpool::Error>([&] { (void)read(bytes); });
}

/// Why a dictionary with this shape is refused.
std::string refusal_of_shape(const std::string& shape) {
    return refusal(file_start("{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + "}"));
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

TEST(npy_header, names_the_types_of_numpy) {
    EXPECT_EQ(numpy_dtype<bool>(), "|b1");
    EXPECT_EQ(numpy_dtype<std::uint8_t>(), "|u1");
    EXPECT_EQ(numpy_dtype<std::int8_t>(), "|i1");
    EXPECT_EQ(numpy_dtype<std::uint16_t>(), "<u2");
    EXPECT_EQ(numpy_dtype<long long>(), "<i8");
    EXPECT_EQ(numpy_dtype<long>(), "<i8");
    EXPECT_EQ(numpy_dtype<float>(), "<f4");
    EXPECT_EQ(numpy_dtype<std::complex<double>>(), "<c16");
}

TEST(npy_header, of_each_version_is_read) {
    const std::string text = "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }        \n";
    for (const int version : {1, 2, 3}) {
        const NpyHeader header = read(file_start(text, version));
        EXPECT_EQ(header.dtype, "<f4");
        EXPECT_TRUE(header.fortran_order);
        EXPECT_EQ(header.shape, (sizes{3, 4}));
        EXPECT_EQ(header.data_begins, (version == 1 ? 10 : 12) + text.size());
    }
    EXPECT_TRUE(contains(refusal(file_start(text, 4)), "is of version 4"));
    EXPECT_TRUE(contains(refusal(file_start(text, 0)), "is of version 0"));
}

TEST(npy_header, may_be_written_in_other_ways) {
    const NpyHeader header =
        read(file_start("{ \"shape\" :(2L,3L,) ,\n \"fortran_order\":False,'descr':\"|u1\"}"));
    EXPECT_EQ(header.shape, (sizes{2, 3}));
    EXPECT_EQ(header.dtype, "|u1");
    EXPECT_FALSE(header.fortran_order);
    EXPECT_EQ(read(file_start("{'descr': '<f8', 'fortran_order': False, 'shape': (), }")).shape, sizes{});
    EXPECT_EQ(read(file_start("{'descr': '<f8', 'fortran_order': False, 'shape': (7,), }")).shape, sizes{7});
}

TEST(npy_header, of_structures_has_their_source_as_type) {
    const std::string structure = "[('x', '<f4'), (']', '<i8', (2, 2))]";
    const NpyHeader header =
        read(file_start("{'descr': " + structure + ", 'fortran_order': False, 'shape': (3,)}"));
    EXPECT_EQ(header.dtype, structure);
    EXPECT_EQ(header.shape, sizes{3});
}

TEST(npy_header, that_is_written_can_be_read) {
    for (const sizes& shape : {sizes{}, sizes{5}, sizes{3, 4}, sizes(255, ~std::size_t{0})}) {
        const NpyHeader header{.dtype = "<f8", .fortran_order = true, .shape = shape};
        const std::string bytes = header.bytes();
        EXPECT_EQ(bytes.size() % 64, 0u);
        EXPECT_EQ(bytes.back(), '\n');
        const NpyHeader again = read(bytes);
        EXPECT_EQ(again.shape, shape);
        EXPECT_EQ(again.dtype, "<f8");
        EXPECT_TRUE(again.fortran_order);
        EXPECT_EQ(again.data_begins, bytes.size());
    }
}

TEST(npy_header, tells_byte_orders_apart) {
    const auto swapped = [](const char* dtype, const char* wanted) {
        return NpyHeader{.dtype = dtype, .shape = {}}.is_swapped(wanted);
    };
    EXPECT_EQ(swapped("<f8", "<f8"), false);
    EXPECT_EQ(swapped("=f8", "<f8"), false);
    EXPECT_EQ(swapped("f8", "<f8"), false);
    EXPECT_EQ(swapped(">f8", "<f8"), true);
    EXPECT_EQ(swapped(">u1", "|u1"), false);
    EXPECT_EQ(swapped("<f8", "<f4"), std::nullopt);
    EXPECT_EQ(swapped("<f8x", "<f8"), std::nullopt);
    EXPECT_EQ(swapped("", "<f8"), std::nullopt);
}

TEST(npy_header, of_no_array_can_have_some_sizes) {
    EXPECT_TRUE(contains(refusal_of_shape("(-1,)"), "a size that no array can have, -1"));
    EXPECT_TRUE(contains(refusal_of_shape("(3, 18446744073709551616)"), "18446744073709551616"));
    EXPECT_TRUE(contains(refusal_of_shape("(" + std::string(5000, '9') + ",)"), std::string(40, '9')));
    EXPECT_LT(refusal_of_shape("(" + std::string(5000, '9') + ",)").size(), 200u);
    EXPECT_TRUE(contains(refusal_of_shape("(2.5,)"), "is damaged"));
    EXPECT_TRUE(contains(refusal_of_shape("3"), "is damaged"));
    EXPECT_TRUE(contains(refusal_of_shape("(3"), "is damaged"));
    EXPECT_TRUE(contains(refusal_of_shape("(None,)"), "None"));
    std::string many = "(1";
    for (int i = 0; i < 255; ++i) many += ",1";
    EXPECT_TRUE(contains(refusal_of_shape(many + ")"), "more sizes than"));
}

TEST(npy_header, of_something_else_is_refused) {
    EXPECT_EQ(refusal(""), "is no NumPy file (.npy)");
    EXPECT_EQ(refusal("\x89PNG\r\n\x1a\n and more"), "is no NumPy file (.npy)");
    EXPECT_EQ(refusal("PK\3\4 and so on, as in .npz"), "is no NumPy file (.npy)");
}

TEST(npy_header, whose_length_is_a_lie_takes_no_memory) {
    std::string huge = file_start("{}", 2);
    for (std::size_t i = 8; i < 12; ++i) huge[i] = '\xff';
    EXPECT_TRUE(contains(refusal(huge), "its header has 4294967295 bytes"));
    std::string longer = file_start("{}");
    longer[8] = 100;
    EXPECT_EQ(refusal(longer), "ends in its header");
}

TEST(npy_header, that_is_damaged_is_refused) {
    const std::string whole = file_start("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }\n");
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const std::string text = refusal(whole.substr(0, length));
        EXPECT_TRUE(contains(text, "is no NumPy file") || contains(text, "ends in its header")) << text;
    }
    for (const char* const dictionary :
         {"", "{", "{}", "{'descr'", "{'descr': '<f8", "{'descr': ['<f8', ", "{'descr': [')",
          "{'descr': '<f8', 'fortran_order': False}", "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}",
          "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)} + 1",
          "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'more': 1}",
          "{'descr': '<f8' 'fortran_order': False, 'shape': (3,)}", "{'descr': None, 'shape': (3,)}"})
        EXPECT_TRUE(contains(refusal(file_start(dictionary)), "is damaged")) << dictionary;
}

}  // namespace npy_header_test
