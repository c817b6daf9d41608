// SPDX-License-Identifier: MIT
#include "procpool/interop/opencv.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "procpool/partial.hpp"
#include "procpool/pool.hpp"
#include "procpool/shared_array.hpp"
#include "support/arrays.hpp"
#include "support/message_of.hpp"

namespace interop_opencv_test {

namespace mp = procpool;
namespace wire = procpool::detail::wire;
using mp::ArrayView;
using mp::interop::as_mat, mp::interop::view_of;
using test::decoded, test::encoded, test::message_of, test::refusal;

template <class T>
std::vector<T> numbers(std::size_t count) {
    std::vector<T> values(count);
    std::iota(values.begin(), values.end(), T{});
    return values;
}

/// Whether both have the same type, sizes and elements, bit by bit.
bool same(const cv::Mat& a, const cv::Mat& b) {
    if (a.type() != b.type() || a.dims != b.dims || !std::equal(a.size.p, a.size.p + a.dims, b.size.p))
        return false;
    const cv::Mat whole_a = a.clone(), whole_b = b.clone();
    const std::size_t size = a.total() * a.elemSize();
    return size == 0 || std::equal(whole_a.data, whole_a.data + size, whole_b.data);
}

cv::Mat numbered(int rows, int cols, int type) {
    cv::Mat mat(rows, cols, type);
    const std::size_t size = mat.total() * mat.elemSize();
    for (std::size_t i = 0; i < size; ++i) mat.data[i] = static_cast<unsigned char>(i * 7);
    return mat;
}

// ---- a Mat over an array

template <class T>
class mat_of : public testing::Test {};
using elements =
    testing::Types<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::int32_t, float, double>;
TYPED_TEST_SUITE(mat_of, elements);

TYPED_TEST(mat_of, shows_and_writes_the_elements_of_an_array) {
    auto values = numbers<TypeParam>(12);
    const cv::Mat mat = as_mat(ArrayView<TypeParam, 2>(values.data(), {3, 4}));
    EXPECT_EQ(mat.type(), cv::traits::Type<TypeParam>::value);
    EXPECT_EQ(mat.size(), cv::Size(4, 3));
    EXPECT_EQ(mat.template at<TypeParam>(2, 1), TypeParam{9});
    cv::Mat(mat).template at<TypeParam>(2, 1) = TypeParam{99};
    EXPECT_EQ(values[9], TypeParam{99});
}

TYPED_TEST(mat_of, shows_the_last_of_three_dimensions_as_channels) {
    auto values = numbers<TypeParam>(24);
    const ArrayView<TypeParam, 3> view(values.data(), {2, 4, 3});
    cv::Mat mat = as_mat(view);
    EXPECT_EQ(mat.channels(), 3);
    EXPECT_EQ((mat.template at<cv::Vec<TypeParam, 3>>(1, 2)), (cv::Vec<TypeParam, 3>(18, 19, 20)));
    const auto back = view_of<TypeParam, 3>(mat);
    EXPECT_EQ(back.data(), values.data());
    EXPECT_EQ(back.shape(), view.shape());
    EXPECT_EQ(back.strides(), view.strides());
}

class mat_of_an_array : public testing::Test {
protected:
    std::vector<float> values = numbers<float>(48);
    ArrayView<float, 2> table{values.data(), {6, 8}};
    ArrayView<float, 3> image{values.data(), {3, 4, 4}};
};

TEST_F(mat_of_an_array, has_rows_that_lie_apart_where_columns_or_rows_were_sliced) {
    cv::Mat mat = as_mat(table.slice(1, {.from = 2, .to = 5}).slice(0, {.step = 2}));
    EXPECT_EQ(mat.size(), cv::Size(3, 3));
    EXPECT_FALSE(mat.isContinuous());
    EXPECT_EQ(mat.at<float>(1, 0), table(2, 2));
    mat.setTo(-1);
    EXPECT_EQ(std::ranges::count(values, -1.f), 9);
    EXPECT_EQ(table(4, 4), -1);

    EXPECT_EQ(as_mat(image.slice(1, {.from = 1, .to = 3})).at<cv::Vec4f>(2, 1), cv::Vec4f(40, 41, 42, 43));
}

TEST_F(mat_of_an_array, may_have_one_row_or_column_with_any_stride) {
    EXPECT_EQ(as_mat(ArrayView<float, 2>(values.data(), {1, 8}, {-3, 1})).at<float>(0, 7), 7);
    EXPECT_EQ(as_mat(table.slice(1, {.from = 3, .to = 4})).at<float>(5, 0), table(5, 3));
    EXPECT_EQ(as_mat(image.slice(2, {.from = 1, .to = 2}).slice(1, {.to = 1})).at<float>(2, 0),
              image(2, 0, 1));
}

TEST_F(mat_of_an_array, without_elements_is_empty) {
    EXPECT_TRUE(as_mat(ArrayView<float, 2>()).empty());
    EXPECT_EQ(as_mat(table.slice(0, {.to = 0})).cols, 8);
    EXPECT_EQ(as_mat(table.slice(1, {.to = 0})).rows, 6);
    EXPECT_EQ(as_mat(image.slice(0, {.to = 0})).channels(), 4);
}

TEST_F(mat_of_an_array, of_const_elements_is_const) {
    static_assert(std::is_same_v<decltype(as_mat(table)), cv::Mat>);
    static_assert(std::is_same_v<decltype(as_mat(ArrayView<const float, 2>(table))), const cv::Mat>);
    EXPECT_EQ(as_mat(ArrayView<const float, 2>(table)).at<float>(1, 1), 9);
}

TEST_F(mat_of_an_array, of_a_shared_array_is_made_without_naming_types) {
    const mp::SharedArray<std::uint8_t, 3> array({4, 5, 3});
    as_mat(array).setTo(cv::Scalar(1, 2, 3));
    EXPECT_EQ(array(3, 4, 2), 3);
}

TEST_F(mat_of_an_array, that_opencv_can_not_show_is_refused_with_the_reason) {
    const auto why = [](const auto& view) {
        return message_of<std::invalid_argument>([&] { (void)as_mat(view); });
    };
    EXPECT_EQ(why(table.slice(1, {.step = 2})),
              "procpool: no cv::Mat can show this array of shape (6, 4): its columns don't lie side by side; "
              "copy it");
    EXPECT_NE(why(table.transposed()).find("columns"), std::string::npos);
    EXPECT_NE(why(table.slice(0, {.step = -1})).find("rows overlap or go backwards"), std::string::npos);
    EXPECT_NE(why(ArrayView<float, 2>(values.data(), {3, 8}, {0, 1})).find("rows"), std::string::npos);
    EXPECT_NE(why(image.slice(2, {.step = -1})).find("channels don't lie"), std::string::npos);
    EXPECT_NE(why(image.slice(2, {.to = 2})).find("columns"), std::string::npos);
    EXPECT_NE(why(image.slice(2, {.to = 0})).find("1 to 512 channels"), std::string::npos);
    EXPECT_NE(why(ArrayView<float, 3>(values.data(), {1, 1, 513})).find("channels"), std::string::npos);
    EXPECT_NE(why(ArrayView<float, 2>(nullptr, {std::size_t{1} << 31, 0})).find("int"), std::string::npos);
}

// ---- an array over a Mat

TEST(view_of_a_mat, of_a_region_of_interest_has_the_strides_of_the_whole) {
    cv::Mat whole = numbered(6, 8, CV_16SC3);
    const cv::Mat part = whole(cv::Rect(1, 2, 4, 3));
    const auto view = view_of<std::int16_t, 3>(part);
    EXPECT_EQ(view.shape(), (std::array<std::size_t, 3>{3, 4, 3}));
    EXPECT_EQ(view.strides(), (std::array<std::ptrdiff_t, 3>{24, 3, 1}));
    view(2, 3, 1) = -5;
    EXPECT_EQ(whole.at<cv::Vec3s>(4, 4)[1], -5);
}

TEST(view_of_a_mat, has_a_dimension_for_one_channel_only_if_asked) {
    cv::Mat mat = numbered(2, 3, CV_32F);
    EXPECT_EQ((view_of<float, 2>(mat).shape()), (std::array<std::size_t, 2>{2, 3}));
    EXPECT_EQ((view_of<const float, 3>(mat).shape()), (std::array<std::size_t, 3>{2, 3, 1}));
    const std::array sizes{2, 3, 4};
    const cv::Mat solid(3, sizes.data(), CV_8U, cv::Scalar(7));
    EXPECT_EQ((view_of<std::uint8_t, 3>(solid).strides()), (std::array<std::ptrdiff_t, 3>{12, 4, 1}));
    EXPECT_TRUE((view_of<float, 2>(cv::Mat()).empty()));
}

TEST(view_of_a_mat, of_other_elements_or_dimensions_is_refused) {
    const cv::Mat mat = numbered(2, 3, CV_8UC3);
    EXPECT_EQ(message_of<std::invalid_argument>([&] { (void)view_of<float, 3>(mat); }),
              "procpool: a cv::Mat of type CV_8UC3 has no elements of type float");
    EXPECT_EQ(message_of<std::invalid_argument>([&] { (void)view_of<std::uint8_t, 2>(mat); }),
              "procpool: a cv::Mat of 2 dimensions and 3 channels can't be viewed as an array of rank 2");
    EXPECT_THROW((void)(view_of<std::uint8_t, 4>(mat)), std::invalid_argument);
}

// ---- a Mat as an argument and a result

template <class T>
T round_trip(const T& value) {
    const test::message made = encoded(value);
    const std::vector<std::byte> exact(made.bytes.bytes().begin(), made.bytes.bytes().end());
    return decoded<T>(exact);
}

struct labelled {
    std::string label;
    cv::Mat image;
    cv::Mat_<double> weights;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(label, image, weights);
    }
};

TEST(mat_as_message, of_each_type_comes_back) {
    for (int depth = CV_8U; depth <= CV_16F; ++depth)
        for (const int channels : {1, 3, 4, 7, CV_CN_MAX}) {
            const cv::Mat mat = numbered(3, 5, CV_MAKETYPE(depth, channels));
            EXPECT_TRUE(same(round_trip(mat), mat)) << cv::typeToString(mat.type());
        }
}

TEST(mat_as_message, of_a_region_of_interest_has_only_its_own_elements) {
    const cv::Mat whole = numbered(100, 100, CV_16UC3);
    const cv::Mat part = whole(cv::Rect(10, 20, 7, 5));
    EXPECT_LT(encoded(part).bytes.size(), 7u * 5 * 6 + 64);
    EXPECT_TRUE(same(round_trip(part), part));
    EXPECT_TRUE(same(round_trip<cv::Mat>(whole.col(3)), whole.col(3)));
    EXPECT_TRUE(same(round_trip<cv::Mat>(whole.row(3)), whole.row(3)));
    EXPECT_TRUE(same(round_trip<cv::Mat>(whole.diag()), whole.diag()));
}

TEST(mat_as_message, may_have_any_number_of_dimensions) {
    const std::array sizes{3, 4, 5, 6};
    cv::Mat mat(4, sizes.data(), CV_32SC2);
    std::iota(mat.ptr<int>(), mat.ptr<int>() + 2 * mat.total(), 0);
    EXPECT_TRUE(same(round_trip(mat), mat));
    const std::array ranges{cv::Range(1, 3), cv::Range::all(), cv::Range(2, 3), cv::Range(1, 6)};
    const cv::Mat part = mat(ranges.data());
    EXPECT_FALSE(part.isContinuous());
    EXPECT_TRUE(same(round_trip(part), part));
}

TEST(mat_as_message, may_have_no_elements) {
    EXPECT_EQ(round_trip(cv::Mat()).dims, 0);
    EXPECT_TRUE(same(round_trip(cv::Mat(0, 5, CV_8UC3)), cv::Mat(0, 5, CV_8UC3)));
    EXPECT_TRUE(same(round_trip(cv::Mat(5, 0, CV_64F)), cv::Mat(5, 0, CV_64F)));
    EXPECT_TRUE(round_trip(cv::Mat_<float>()).empty());
    cv::Mat_<float> given(2, 2);
    const cv::Mat_<float> taken = std::move(given);
    EXPECT_TRUE(round_trip(given).empty());  // NOLINT(bugprone-use-after-move): it is what tasks may get
    const std::array sizes{0, 3, 2};
    const cv::Mat solid(3, sizes.data(), CV_16F);
    EXPECT_TRUE(same(round_trip(solid), solid));
}

TEST(mat_as_message, may_know_its_type) {
    const cv::Mat_<cv::Vec3b> image(numbered(4, 5, CV_8UC3));
    EXPECT_TRUE(same(round_trip(image), image));
    EXPECT_EQ(refusal<cv::Mat_<float>>(encoded<cv::Mat>(image).bytes.bytes()),
              "procpool: a cv::Mat of type CV_8UC3 arrived where one of type CV_32FC1 was meant");
}

TEST(mat_as_message, travels_inside_of_structs_vectors_and_tuples) {
    const cv::Mat a = numbered(4, 5, CV_8UC3), b = numbered(2, 2, CV_32F);
    const auto both = round_trip(std::vector{a, b, cv::Mat()});
    EXPECT_TRUE(same(both[0], a) && same(both[1], b) && both[2].empty());
    EXPECT_TRUE(same(std::get<1>(round_trip(std::tuple(1, a, std::string("after")))), a));
    const auto with_label = round_trip(labelled{"first", a(cv::Rect(1, 1, 2, 2)), {1.5, 2.5}});
    EXPECT_EQ(with_label.label, "first");
    EXPECT_TRUE(same(with_label.image, a(cv::Rect(1, 1, 2, 2))));
    EXPECT_EQ(with_label.weights(1), 2.5);
}

TEST(mat_as_message, is_no_other_than_a_mat) {
    static_assert(wire::codec<cv::Mat>::sendable && wire::codec<cv::Mat_<float>>::sendable);
    static_assert(std::is_same_v<wire::wire_type_t<cv::MatExpr>, cv::Mat>);
    static_assert(!wire::codec<cv::UMat>::sendable && !wire::codec<cv::SparseMat>::sendable);
}

struct detection {
    cv::Rect where;
    cv::Scalar mean;
    std::vector<cv::Vec3b> colours;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(where, mean, colours);
    }
};

TEST(small_class_of_opencv, comes_back) {
    EXPECT_EQ(round_trip(cv::Rect(1, 2, 3, 4)), cv::Rect(1, 2, 3, 4));
    EXPECT_EQ(round_trip(cv::Point2f(1, 2)), cv::Point2f(1, 2));
    EXPECT_EQ(round_trip(cv::Matx33d::eye()), cv::Matx33d::eye());
    EXPECT_EQ(round_trip(cv::Scalar(1, 2, 3, 4)), cv::Scalar(1, 2, 3, 4));
    EXPECT_EQ(round_trip(cv::Vec3b(1, 2, 3)), cv::Vec3b(1, 2, 3));
    const auto found = round_trip(detection{{1, 2, 3, 4}, {5, 6}, {{7, 8, 9}, {10, 11, 12}}});
    EXPECT_EQ(found.where, cv::Rect(1, 2, 3, 4));
    EXPECT_EQ(found.mean, cv::Scalar(5, 6));
    EXPECT_EQ(found.colours[1], cv::Vec3b(10, 11, 12));
}

// ---- hostile bytes

struct header {
    std::int32_t type = CV_8UC1;
    std::int32_t dims = 2;
    std::vector<std::int32_t> sizes = {2, 2};
    std::uint64_t size = 4;
    std::size_t there = 4;
};

std::vector<std::byte> bytes_of(const header& claim) {
    wire::buffer bytes;
    bytes.append_value(claim.type);
    bytes.append_value(claim.dims);
    for (const std::int32_t size : claim.sizes) bytes.append_value(size);
    bytes.append_value(claim.size);
    std::fill_n(bytes.extend(claim.there), claim.there, std::byte{1});
    return {bytes.data(), bytes.data() + bytes.size()};
}

TEST(hostile_mat, that_lies_is_refused) {
    constexpr std::int32_t huge = 0x7fffffff;
    EXPECT_EQ(refusal<cv::Mat>(bytes_of({})), "accepted");
    const std::vector<header> lies{
        {.type = -1},
        {.type = CV_MAT_TYPE_MASK + 1},
        {.dims = -1},
        {.dims = huge},
        {.dims = 33, .sizes = std::vector<std::int32_t>(33, 1), .size = 1, .there = 1},
        {.dims = 0, .sizes = {}, .size = 1, .there = 1},
        {.sizes = {-2, -2}},
        {.sizes = {2, -1}},
        {.sizes = {2, 3}},
        {.sizes = {1, 2}},
        {.type = CV_64F},
        {.sizes = {huge, huge}},
        {.sizes = {1 << 30, 1}, .size = 1 << 30},
        {.type = CV_64FC4, .dims = 3, .sizes = {huge, huge, huge}, .size = 0, .there = 0},
        {.dims = 3, .sizes = {0, huge, huge}, .size = 4},
        {.dims = 4, .sizes = {0, huge, huge, huge}, .size = 0, .there = 0},
        {.type = CV_MAKETYPE(CV_8U, 8), .dims = 3, .sizes = {1 << 30, 1 << 30, 2}, .size = 0, .there = 0},
        {.size = ~std::uint64_t{0}},
        {.size = 5},
        {.there = 3},
    };
    for (std::size_t i = 0; i < lies.size(); ++i)
        EXPECT_TRUE(refusal<cv::Mat>(bytes_of(lies[i])).starts_with("procpool: ")) << "lie " << i;
}

/// Fails the test if a Mat gets memory.
class no_allocator : public cv::MatAllocator {
public:
    cv::UMatData* allocate(int dims, const int* sizes, int type, void* data, std::size_t* step,
                           cv::AccessFlag access, cv::UMatUsageFlags usage) const override {
        ADD_FAILURE() << "memory was claimed";
        return cv::Mat::getStdAllocator()->allocate(dims, sizes, type, data, step, access, usage);
    }
    bool allocate(cv::UMatData*, cv::AccessFlag, cv::UMatUsageFlags) const override { return false; }
    void deallocate(cv::UMatData*) const override {}
};

TEST(hostile_mat, that_claims_gigabytes_is_refused_before_memory_is_claimed) {
    static no_allocator none;
    cv::MatAllocator* const before = cv::Mat::getDefaultAllocator();
    cv::Mat::setDefaultAllocator(&none);
    EXPECT_NE(refusal<cv::Mat>(bytes_of({.sizes = {1 << 16, 1 << 16}, .size = std::uint64_t{1} << 32})),
              "accepted");
    EXPECT_NE(refusal<cv::Mat>(bytes_of({.sizes = {1 << 16, 1 << 16}})), "accepted");
    cv::Mat::setDefaultAllocator(before);
}

TEST(hostile_mat, cut_off_or_changed_anywhere_is_a_mat_or_an_error) {
    const std::array sizes{2, 3, 2};
    const test::message made = encoded(cv::Mat(3, sizes.data(), CV_16SC2, cv::Scalar(1, 2)));
    const std::vector<std::byte> good(made.bytes.bytes().begin(), made.bytes.bytes().end());
    for (std::size_t cut = 0; cut < good.size(); ++cut)
        EXPECT_NE(
            refusal<cv::Mat>(std::vector(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut))),
            "accepted")
            << cut;
    std::mt19937 random{20240607};  // NOLINT(cert-msc51-cpp): the same bytes in each run
    for (int i = 0; i < 20'000; ++i) {
        std::vector<std::byte> bad = good;
        for (auto changes = random() % 3 + 1; changes > 0; --changes)
            bad[random() % 28] = static_cast<std::byte>(random() % 4 == 0 ? random() : random() % 4);
        try {
            wire::cursor from(bad);
            cv::Mat mat = wire::codec<cv::Mat>::decode(from);
            if (!mat.empty()) mat.setTo(0);
        } catch (const mp::SerializationError&) {
        }
    }
}

// ---- in a pool

void paint_row_of_tiles(const mp::SharedArray<std::uint8_t, 3>& image, int row) {
    cv::Mat tiles =
        as_mat(image.slice(0, {.from = row * 10, .to = row * 10 + 10}).slice(1, {.from = 5, .to = 15}));
    tiles.setTo(cv::Scalar(row, 2 * row, 3 * row));
}

TEST(mat_in_a_pool, of_a_part_of_a_shared_array_is_filled_in_place) {
    const mp::SharedArray<std::uint8_t, 3> image({40, 20, 3});
    mp::Pool pool(2);
    pool.map(mp::partial(paint_row_of_tiles, image), std::vector{0, 1, 2, 3}, {.chunksize = 1});
    for (std::size_t row = 0; row < 40; ++row) {
        const auto tile = static_cast<std::uint8_t>(row / 10);
        EXPECT_EQ(image(row, 5, 1), 2 * tile);
        EXPECT_EQ(image(row, 14, 2), 3 * tile);
        EXPECT_EQ(image(row, 4, 2), 0);
        EXPECT_EQ(image(row, 15, 2), 0);
    }
}

cv::Mat doubled(const cv::Mat& mat) { return mat * 2; }

TEST(mat_in_a_pool, is_argument_and_result) {
    mp::Pool pool(2);
    const cv::Mat whole(50, 60, CV_32FC2, cv::Scalar(1, 2));
    std::vector<cv::Mat> mats;
    for (int i = 0; i < 30; ++i) mats.push_back(whole(cv::Rect(i, i / 2, 3 + i % 5, 7)) * i);
    mats.push_back(whole(cv::Rect(10, 20, 30, 5)));
    const std::vector<cv::Mat> results = pool.map(doubled, mats);
    ASSERT_EQ(results.size(), mats.size());
    for (std::size_t i = 0; i < mats.size(); ++i) EXPECT_TRUE(same(results[i], doubled(mats[i]))) << i;
    EXPECT_TRUE(same(pool.apply(doubled, whole(cv::Rect(1, 2, 3, 4))), doubled(whole(cv::Rect(1, 2, 3, 4)))));
    EXPECT_TRUE(same(pool.apply(doubled, whole + 1), doubled(whole + 1)));
}

int rows_of(const labelled& of) { return of.image.rows; }

TEST(mat_in_a_pool, travels_inside_of_a_struct) {
    mp::Pool pool(2);
    EXPECT_EQ(pool.apply(rows_of, labelled{"", cv::Mat(7, 2, CV_8U, cv::Scalar(0)), {}}), 7);
}

}  // namespace interop_opencv_test
