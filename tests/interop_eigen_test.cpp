// SPDX-License-Identifier: MIT
#include "procpool/interop/eigen.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <complex>
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

namespace interop_eigen_test {

namespace mp = procpool;
namespace wire = procpool::detail::wire;
using mp::ArrayView;
using mp::interop::as_map, mp::interop::view_of;
using test::decoded, test::encoded, test::refusal;

using over_aligned = Eigen::Matrix<double, 8, 8>;

// ---- a map over an array

class map_of_an_array : public testing::Test {
protected:
    void SetUp() override { std::iota(values.begin(), values.end(), 0.0); }
    std::vector<double> values = std::vector<double>(24);
    ArrayView<double, 2> table{values.data(), {4, 6}};
};

TEST_F(map_of_an_array, shows_and_writes_rows_and_columns) {
    auto map = as_map(table);
    static_assert(std::is_same_v<decltype(map), mp::interop::MatrixMap<double>>);
    EXPECT_EQ(map.rows(), 4);
    EXPECT_EQ(map.cols(), 6);
    EXPECT_EQ(map(1, 2), 8);
    map.row(3).setConstant(-1);
    EXPECT_EQ(std::ranges::count(table[3], -1), 6);
    EXPECT_EQ(std::ranges::count(values, -1), 6);
}

TEST_F(map_of_an_array, of_one_dimension_is_a_vector) {
    auto row = as_map(table[2]);
    static_assert(std::is_same_v<decltype(row), mp::interop::VectorMap<double>>);
    EXPECT_EQ(row.size(), 6);
    EXPECT_EQ(row.sum(), 12 + 13 + 14 + 15 + 16 + 17);
    const auto column = as_map(table.transposed()[1]);
    EXPECT_EQ(column, Eigen::Vector4d(1, 7, 13, 19));
    EXPECT_EQ(as_map(table) * row, as_map(table).eval() * row.eval());
}

TEST_F(map_of_an_array, shows_slices_and_transposed_and_reversed_views) {
    EXPECT_EQ(as_map(table.transposed()), as_map(table).transpose());
    const auto some = table.slice(0, {.from = 1, .step = 2}).slice(1, {.step = 3});
    EXPECT_EQ(as_map(some), (Eigen::Matrix2d() << 6, 9, 18, 21).finished());
    EXPECT_EQ(as_map(table.slice(0, {.step = -1})), as_map(table).colwise().reverse());
    EXPECT_EQ(as_map(table.slice(1, {.step = -1})), as_map(table).rowwise().reverse());
    EXPECT_EQ(as_map(table[0].slice(0, {.from = 2, .step = -1})), Eigen::Vector3d(2, 1, 0));
    as_map(some).setZero();
    EXPECT_EQ(std::ranges::count(values, 0.0), 5);
}

TEST_F(map_of_an_array, of_const_elements_can_not_be_written_to) {
    const auto map = as_map(ArrayView<const double, 2>(table));
    static_assert(std::is_same_v<decltype(as_map(ArrayView<const double, 2>(table)).data()), const double*>);
    static_assert(
        std::is_same_v<decltype(as_map(ArrayView<const double, 1>(table[0])).data()), const double*>);
    EXPECT_EQ(map(3, 5), 23);
}

TEST_F(map_of_an_array, without_elements_is_empty) {
    EXPECT_EQ(as_map(ArrayView<double, 2>()).size(), 0);
    EXPECT_EQ(as_map(ArrayView<double, 1>()).size(), 0);
    EXPECT_EQ(as_map(table.slice(1, {.to = 0})).rows(), 4);
}

// ---- an array over a matrix

/// The view's elements are those of the matrix, by address.
template <class Matrix>
void expect_same_elements(const Matrix& matrix) {
    const auto view = view_of(matrix);
    ASSERT_EQ(view.shape()[0], static_cast<std::size_t>(matrix.rows()));
    ASSERT_EQ(view.shape()[1], static_cast<std::size_t>(matrix.cols()));
    for (Eigen::Index row = 0; row < matrix.rows(); ++row)
        for (Eigen::Index col = 0; col < matrix.cols(); ++col)
            EXPECT_EQ(&view(row, col), &matrix.coeffRef(row, col));
}

TEST(view_of_a_matrix, has_its_rows_and_columns_in_either_storage_order) {
    Eigen::MatrixXd by_columns = Eigen::MatrixXd::Random(3, 5);
    mp::interop::RowMajorMatrix<float> by_rows = Eigen::MatrixXf::Random(3, 5);
    expect_same_elements(by_columns);
    expect_same_elements(by_rows);
    expect_same_elements(Eigen::Matrix3i(Eigen::Matrix3i::Random()));
    expect_same_elements(Eigen::ArrayXXf(Eigen::ArrayXXf::Random(2, 3)));
    EXPECT_EQ(view_of(by_columns).strides(), (std::array<std::ptrdiff_t, 2>{1, 3}));
    EXPECT_TRUE(view_of(by_rows).is_contiguous());
    view_of(by_columns).fill(2);
    EXPECT_EQ(by_columns, Eigen::MatrixXd::Constant(3, 5, 2));
}

TEST(view_of_a_matrix, of_blocks_and_maps_refers_to_the_same_elements) {
    Eigen::MatrixXd matrix = Eigen::MatrixXd::Random(6, 7);
    expect_same_elements(matrix.block(1, 2, 3, 4));
    expect_same_elements(matrix.transpose());
    expect_same_elements(Eigen::Ref<Eigen::MatrixXd>(matrix.topRows(2)));
    view_of(matrix.block(1, 2, 3, 4)).fill(9);
    EXPECT_EQ((matrix.array() == 9).count(), 12);

    std::vector<int> values(24);
    const ArrayView<int, 2> strided(values.data(), {3, 4}, {8, -2});
    auto map = as_map(strided.slice(1, {.step = -1}));
    EXPECT_EQ(view_of(map).strides(), (std::array<std::ptrdiff_t, 2>{8, 2}));
}

TEST(view_of_a_matrix, of_a_vector_has_one_dimension) {
    Eigen::Vector4f vector(1, 2, 3, 4);
    EXPECT_EQ(view_of(vector).to_vector(), (std::vector<float>{1, 2, 3, 4}));
    Eigen::MatrixXi matrix = Eigen::MatrixXi::Random(3, 5);
    for (const auto& row : {view_of(matrix.row(1))}) {
        EXPECT_EQ(row.size(), 5u);
        EXPECT_EQ(&row(4), &matrix(1, 4));
    }
    EXPECT_EQ(&view_of(matrix.col(2))(1), &matrix(1, 2));
    mp::interop::RowMajorMatrix<int> by_rows = matrix;
    EXPECT_EQ(&view_of(by_rows.col(2))(1), &by_rows(1, 2));
    EXPECT_EQ(&view_of(by_rows.row(2))(1), &by_rows(2, 1));
}

TEST(view_of_a_matrix, that_is_const_has_const_elements) {
    const Eigen::MatrixXd matrix = Eigen::MatrixXd::Random(2, 2);
    static_assert(std::is_same_v<decltype(view_of(matrix)), ArrayView<const double, 2>>);
    static_assert(std::is_same_v<decltype(view_of(matrix.row(0))), ArrayView<const double, 1>>);
    static_assert(
        std::is_same_v<decltype(view_of(std::declval<Eigen::MatrixXd&>().col(0))), ArrayView<double, 1>>);
    EXPECT_EQ(&view_of(matrix)(1, 0), &matrix(1, 0));
}

// ---- a matrix as an argument and a result

template <class T>
T round_trip(const T& value) {
    const test::message made = encoded(value);
    const std::vector<std::byte> exact(made.bytes.bytes().begin(), made.bytes.bytes().end());
    return decoded<T>(exact);
}

template <class Matrix>
void expect_round_trip(const Matrix& matrix) {
    const Matrix back = round_trip(matrix);
    EXPECT_EQ(back.rows(), matrix.rows());
    EXPECT_EQ(back.cols(), matrix.cols());
    EXPECT_TRUE(std::ranges::equal(std::span(back.data(), static_cast<std::size_t>(back.size())),
                                   std::span(matrix.data(), static_cast<std::size_t>(matrix.size()))));
}

struct model {
    std::string name;
    Eigen::MatrixXd weights;
    Eigen::Vector3f bias;
    Eigen::ArrayXi counts;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(name, weights, bias, counts);
    }
};

TEST(matrix_as_message, of_any_kind_comes_back) {
    expect_round_trip<Eigen::MatrixXd>(Eigen::MatrixXd::Random(7, 5));
    expect_round_trip<mp::interop::RowMajorMatrix<float>>(Eigen::MatrixXf::Random(7, 5));
    expect_round_trip<Eigen::VectorXi>(Eigen::VectorXi::Random(9));
    expect_round_trip<Eigen::RowVectorXf>(Eigen::RowVectorXf::Random(9));
    expect_round_trip<Eigen::MatrixXcd>(Eigen::MatrixXcd::Random(2, 3));
    expect_round_trip<Eigen::ArrayXXd>(Eigen::ArrayXXd::Random(4, 3));
    expect_round_trip<Eigen::Vector2d>(Eigen::Vector2d(3, 4));
    expect_round_trip<Eigen::Matrix<int, 1, 1>>(Eigen::Matrix<int, 1, 1>(7));
    expect_round_trip<Eigen::Matrix<std::uint8_t, 3, Eigen::Dynamic>>(
        Eigen::Matrix<std::uint8_t, 3, Eigen::Dynamic>::Random(3, 6));
    expect_round_trip<Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, 0, 4, 4>>(
        Eigen::Matrix2d::Random());
    expect_round_trip<Eigen::Array<bool, Eigen::Dynamic, 1>>(Eigen::ArrayXi::Random(30) > 0);
    expect_round_trip<over_aligned>(over_aligned::Random());
}

TEST(matrix_as_message, may_have_no_coefficients) {
    expect_round_trip(Eigen::MatrixXd());
    expect_round_trip(Eigen::MatrixXd(0, 5));
    expect_round_trip(Eigen::MatrixXd(5, 0));
    expect_round_trip(Eigen::VectorXd());
    expect_round_trip(Eigen::Matrix<float, 0, 0>());
}

TEST(matrix_as_message, travels_inside_of_structs_vectors_and_tuples) {
    const model original{"linear", Eigen::MatrixXd::Random(3, 4), {1, 2, 3}, Eigen::ArrayXi::Random(5)};
    const model copy = round_trip(original);
    EXPECT_EQ(copy.name, original.name);
    EXPECT_EQ(copy.weights, original.weights);
    EXPECT_EQ(copy.bias, original.bias);
    EXPECT_TRUE((copy.counts == original.counts).all());

    const std::vector<Eigen::Vector4d> points{{1, 2, 3, 4}, {5, 6, 7, 8}};
    EXPECT_EQ(round_trip(points), points);
    const std::tuple both(Eigen::MatrixXf(Eigen::MatrixXf::Random(2, 3)), std::string("after"));
    EXPECT_EQ(round_trip(both), both);
}

TEST(matrix_as_message, stands_for_a_map_a_block_or_an_expression) {
    const Eigen::MatrixXd a = Eigen::MatrixXd::Random(4, 4), b = Eigen::MatrixXd::Random(4, 4);
    using sum = decltype(a + b);
    static_assert(std::is_same_v<wire::wire_type_t<sum>, Eigen::MatrixXd>);
    static_assert(
        std::is_same_v<wire::wire_type_t<const Eigen::Map<const Eigen::VectorXd>&>, Eigen::VectorXd>);
    static_assert(std::is_same_v<wire::wire_type_t<Eigen::MatrixXd>, Eigen::MatrixXd>);
    static_assert(!wire::codec<sum>::sendable && !wire::codec<Eigen::Map<Eigen::VectorXd>>::sendable &&
                  !wire::codec<Eigen::Ref<Eigen::VectorXd>>::sendable);
    test::message made;
    wire::encode({made.bytes, made.held}, a + b);
    EXPECT_EQ(decoded<Eigen::MatrixXd>(made.bytes.bytes()), a + b);
}

TEST(matrix_as_message, does_not_carry_pointers) {
    static_assert(!wire::codec<Eigen::Matrix<int*, 2, 1>>::sendable);
    static_assert(!wire::codec<Eigen::Matrix<void (*)(), 2, 1>>::sendable);
    static_assert(!wire::codec<Eigen::Matrix<std::string, 2, 1>>::sendable);
}

// ---- hostile bytes

std::vector<std::byte> bytes_of(std::int64_t rows, std::int64_t cols, std::uint64_t size, std::size_t there) {
    wire::buffer bytes;
    bytes.append_value(rows);
    bytes.append_value(cols);
    bytes.append_value(size);
    std::fill_n(bytes.extend(there), there, std::byte{2});
    return {bytes.data(), bytes.data() + bytes.size()};
}

TEST(hostile_matrix, that_lies_is_refused) {
    constexpr std::int64_t half = std::int64_t{1} << 32, huge = std::int64_t{1} << 62;
    EXPECT_EQ(refusal<Eigen::MatrixXd>(bytes_of(2, 3, 48, 48)), "accepted");
    struct lie {
        std::int64_t rows, cols;
        std::uint64_t size;
        std::size_t there;
    };
    for (const auto& [rows, cols, size, there] :
         {lie{-2, -3, 48, 48}, lie{2, -3, 48, 48}, lie{-1, 0, 0, 0}, lie{2, 3, 47, 47}, lie{2, 3, 40, 40},
          lie{2, 4, 48, 48}, lie{0, 3, 48, 48}, lie{2, 3, 0, 0}, lie{half, half, 0, 0},
          lie{half, half, 48, 48}, lie{huge, 4, 0, 0}, lie{huge, 8, 48, 48},
          lie{huge, 1, static_cast<std::uint64_t>(huge) * 8, 48}, lie{2, 3, 48, 47},
          lie{1 << 30, 1, 8ULL << 30, 48}})
        EXPECT_TRUE(refusal<Eigen::MatrixXd>(bytes_of(rows, cols, size, there)).starts_with("procpool: "))
            << rows << " x " << cols << " in " << size;
}

TEST(hostile_matrix, of_another_size_than_the_type_has_is_refused) {
    EXPECT_EQ(refusal<Eigen::Vector3d>(bytes_of(3, 1, 24, 24)), "accepted");
    for (const auto& [rows, cols] : {std::pair{1, 3}, std::pair{3, 0}, std::pair{2, 1}, std::pair{4, 1}}) {
        const auto size = static_cast<std::size_t>(rows * cols) * 8;
        EXPECT_NE(refusal<Eigen::Vector3d>(bytes_of(rows, cols, size, size)), "accepted")
            << rows << ' ' << cols;
    }
    EXPECT_NE(refusal<Eigen::VectorXd>(bytes_of(2, 2, 32, 32)), "accepted");
    using small = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, 0, 2, 2>;
    EXPECT_EQ(refusal<small>(bytes_of(2, 2, 32, 32)), "accepted");
    EXPECT_NE(refusal<small>(bytes_of(3, 1, 24, 24)), "accepted");
    EXPECT_NE(refusal<small>(bytes_of(4, 0, 0, 0)), "accepted");
}

TEST(hostile_matrix, of_bool_has_true_for_any_byte_but_zero) {
    const auto bits = decoded<Eigen::Array<bool, Eigen::Dynamic, 1>>(bytes_of(3, 1, 3, 3));
    EXPECT_EQ(bits.count(), 3);
    EXPECT_EQ(static_cast<int>(bits[0]), 1);
}

TEST(hostile_matrix, cut_off_or_changed_anywhere_is_a_matrix_or_an_error) {
    const std::vector<std::byte> good = bytes_of(2, 3, 48, 48);
    for (std::size_t cut = 0; cut < good.size(); ++cut)
        EXPECT_NE(refusal<Eigen::MatrixXd>(std::span(good).first(cut)), "accepted") << cut;
    std::mt19937 random{20240607};  // NOLINT(cert-msc51-cpp): the same bytes in each run
    for (int i = 0; i < 20'000; ++i) {
        std::vector<std::byte> bad = good;
        for (auto changes = random() % 3 + 1; changes > 0; --changes)
            bad[random() % 24] = static_cast<std::byte>(random() % 4 == 0 ? random() : random() % 8);
        try {
            wire::cursor from(bad);
            Eigen::MatrixXd matrix = wire::codec<Eigen::MatrixXd>::decode(from);
            matrix.setZero();
        } catch (const mp::SerializationError&) {
        }
    }
}

// ---- in a pool

void fill_block(const mp::SharedArray<double, 2>& array, int i) {
    as_map(array.slice(0, {.from = i * 3, .to = i * 3 + 3}).slice(1, {.from = 1, .to = 4})) =
        Eigen::Matrix3d::Identity() * i;
}

TEST(matrix_in_a_pool, of_a_part_of_a_shared_array_is_filled_in_place) {
    const mp::SharedArray<double, 2> array({12, 5});
    mp::Pool pool(2);
    pool.map(mp::partial(fill_block, array), std::vector{0, 1, 2, 3}, {.chunksize = 1});
    EXPECT_EQ(as_map(array).sum(), 3 * (1 + 2 + 3));
    EXPECT_EQ(as_map(array).block(9, 1, 3, 3), Eigen::Matrix3d::Identity() * 3);
}

Eigen::MatrixXd gram(const Eigen::MatrixXd& matrix) { return matrix.transpose() * matrix; }
over_aligned doubled(const over_aligned& matrix) { return matrix * 2; }
double trace_of(const model& of) { return of.weights.trace(); }

TEST(matrix_in_a_pool, is_argument_and_result) {
    mp::Pool pool(2);
    std::vector<Eigen::MatrixXd> matrices;
    for (int i = 0; i < 30; ++i) matrices.push_back(Eigen::MatrixXd::Random(i % 7, i % 5));
    const auto results = pool.map(gram, matrices);
    for (std::size_t i = 0; i < matrices.size(); ++i)
        EXPECT_TRUE(results[i].isApprox(gram(matrices[i]))) << i;

    const std::vector<over_aligned> fixed(20, over_aligned::Random());
    for (const over_aligned& result : pool.map(doubled, fixed)) EXPECT_EQ(result, fixed[0] * 2);
    EXPECT_EQ(pool.apply(doubled, fixed[0]), fixed[0] * 2);
}

TEST(matrix_in_a_pool, may_be_given_as_an_expression_or_inside_of_a_struct) {
    mp::Pool pool(2);
    const Eigen::MatrixXd a = Eigen::MatrixXd::Random(4, 4);
    EXPECT_TRUE(pool.apply(gram, a + a).isApprox(gram(2 * a)));
    EXPECT_TRUE(pool.apply(gram, a.topRows(2)).isApprox(gram(a.topRows(2))));
    EXPECT_EQ(pool.apply(trace_of, model{"", Eigen::MatrixXd::Identity(3, 3), {}, {}}), 3);
}

}  // namespace interop_eigen_test
