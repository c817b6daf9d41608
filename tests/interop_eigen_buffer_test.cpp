// SPDX-License-Identifier: MIT
// Matrices of Eigen's in a Buffer: results that are never copied.
#include <gtest/gtest.h>
#include <signal.h>

#include <cereal/types/vector.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "procpool/interop/eigen.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/messages.hpp"
#include "support/pool_memory.hpp"

namespace interop_eigen_buffer_test {

namespace mp = procpool;
using mp::start_method;
using mp::interop::BufferMatrix;
using test::is_in_pool_memory;

// [buffer_matrix]
mp::interop::BufferMatrix<Eigen::MatrixXf> gram(int n) {
    const Eigen::MatrixXf samples = Eigen::MatrixXf::Constant(200, 300, static_cast<float>(n));
    mp::interop::BufferMatrix<Eigen::MatrixXf> product(300, 300);
    product.matrix().noalias() = samples.transpose() * samples;
    return product;
}
// [/buffer_matrix]

bool is_gram(const BufferMatrix<Eigen::MatrixXf>& of, int n) {
    return of.rows() == 300 && of.cols() == 300 &&
           of.matrix().isApprox(Eigen::MatrixXf::Constant(300, 300, 200.0f * static_cast<float>(n * n)));
}

TEST(buffer_matrix, is_the_memory_that_eigen_has_filled_in_the_task) {
    for (const auto method : {start_method::fork, start_method::forkserver, start_method::spawn}) {
        mp::Pool pool(mp::PoolOptions{.processes = 2, .start_method = method});
        int n = 1;
        for (const auto& product : pool.map(gram, std::vector{1, 2, 3})) {
            EXPECT_TRUE(is_in_pool_memory(product.matrix().data()));
            EXPECT_TRUE(is_gram(product, n++));
        }
    }
}

TEST(buffer_matrix, survives_its_worker_and_its_pool) {
    std::optional<BufferMatrix<Eigen::MatrixXf>> kept;
    {
        mp::Pool pool(1);
        kept = pool.apply(gram, 2);
        EXPECT_THROW(pool.apply([] { ::raise(SIGKILL); }), mp::WorkerDied);
        EXPECT_TRUE(is_gram(pool.apply(gram, 3), 3));
    }
    EXPECT_TRUE(is_gram(*kept, 2));
    EXPECT_TRUE(is_in_pool_memory(kept->buffer().data()));
}

TEST(buffer_matrix, is_of_any_matrix_or_array_with_the_size_that_has) {
    BufferMatrix<Eigen::VectorXd> column(3);
    column.matrix().setLinSpaced(1, 3);
    EXPECT_EQ(column.matrix().sum(), 6);
    EXPECT_EQ(BufferMatrix<Eigen::RowVectorXd>(4).cols(), 4);
    EXPECT_EQ(BufferMatrix<Eigen::Matrix4d>().rows(), 4);
    EXPECT_EQ(BufferMatrix<Eigen::MatrixXd>().rows(), 0);
    using rows = Eigen::Array<int, Eigen::Dynamic, 3, Eigen::RowMajor>;
    const BufferMatrix<rows> numbers(rows::Constant(2, 3, 7) + 1);
    EXPECT_EQ(numbers.matrix().sum(), 48);
    EXPECT_EQ(numbers.buffer().size(), 6u);
    EXPECT_THROW(BufferMatrix<rows>(2, 4), std::invalid_argument);
    EXPECT_THROW(BufferMatrix<Eigen::MatrixXd>(-1, 4), std::invalid_argument);
    EXPECT_THROW(BufferMatrix<Eigen::MatrixXd>(Eigen::Index{1} << 40, Eigen::Index{1} << 40), std::bad_alloc);
    static_assert(!std::is_copy_constructible_v<BufferMatrix<rows>>);

    BufferMatrix<Eigen::VectorXd> moved = std::move(column);
    EXPECT_EQ(moved.rows(), 3);
    EXPECT_EQ(column.rows(), 0);  // NOLINT(bugprone-use-after-move): that is what is tested
    column = std::move(moved);
    EXPECT_EQ(column.matrix()(2), 3);
}

struct model {
    std::string name;
    std::vector<BufferMatrix<Eigen::MatrixXf>> layers;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(name, layers);
    }
};

TEST(buffer_matrix, arrives_whole_whatever_its_size_and_way) {
    mp::Pool pool(1);
    const model made = pool.apply([] {
        model of{"m", {}};
        for (const int n : {1, 2}) of.layers.push_back(gram(n));
        return of;
    });
    EXPECT_TRUE(is_gram(made.layers.at(0), 1) && is_gram(made.layers.at(1), 2));
    EXPECT_TRUE(is_in_pool_memory(made.layers[1].matrix().data()));
    const auto small = pool.apply(
        [](const BufferMatrix<Eigen::VectorXd>& of) {
            return BufferMatrix<Eigen::VectorXd>(2 * of.matrix());
        },
        BufferMatrix<Eigen::VectorXd>(Eigen::VectorXd::Ones(5)));
    EXPECT_EQ(small.matrix(), Eigen::VectorXd::Constant(5, 2));
    EXPECT_EQ(pool.apply([] { return BufferMatrix<Eigen::MatrixXd>(0, 7); }).cols(), 7);
    EXPECT_TRUE(is_gram(mp::ThreadPool(1).apply(gram, 4), 4));
    EXPECT_TRUE(is_gram(mp::Pool(mp::PoolOptions{.processes = 0}).apply(gram, 4), 4));
}

TEST(buffer_matrix, as_a_message_that_lies_is_refused) {
    using columns = Eigen::Matrix<double, Eigen::Dynamic, 3>;
    const test::message made = test::encoded(BufferMatrix<columns>(2, 3));
    const std::vector<std::byte> good(made.bytes.bytes().begin(), made.bytes.bytes().end());
    const auto refusal = [&](std::size_t at, std::int64_t value) {
        std::vector<std::byte> bad = good;
        std::memcpy(bad.data() + at, &value, sizeof value);
        return test::refusal<BufferMatrix<columns>>(bad);
    };
    EXPECT_EQ(test::refusal<BufferMatrix<columns>>(good), "accepted");
    for (const std::int64_t rows : {std::int64_t{-1}, std::int64_t{3}, std::int64_t{1} << 62})
        EXPECT_NE(refusal(0, rows), "accepted") << rows;
    EXPECT_NE(refusal(8, 2).find("can't have 2 rows and 2 columns"), std::string::npos);
    for (std::size_t cut = 0; cut < good.size(); ++cut)
        EXPECT_NE(test::refusal<BufferMatrix<columns>>(std::span(good).first(cut)), "accepted") << cut;
}

}  // namespace interop_eigen_buffer_test
