// SPDX-License-Identifier: MIT
// cv::Mat in a Buffer's memory: results that are never copied.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cereal/types/vector.hpp>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "procpool/interop/opencv.hpp"
#include "procpool/pool.hpp"
#include "procpool/thread_pool.hpp"
#include "support/messages.hpp"
#include "support/pool_memory.hpp"

namespace interop_opencv_buffer_test {

namespace mp = procpool;
namespace wire = procpool::detail::wire;
using mp::start_method;
using mp::interop::buffer_mat;
using test::is_in_pool_memory;

// [buffer_mat]
cv::Mat normalised(int brightness) {
    const cv::Mat photo(480, 640, CV_8UC3, cv::Scalar::all(brightness));  // or cv::imread(...)
    cv::Mat pixels = mp::interop::buffer_mat();
    photo.convertTo(pixels, CV_32F, 1 / 255.0);  // OpenCV takes memory of the pool's for them
    return pixels;
}
// [/buffer_mat]

bool is_normalised(const cv::Mat& mat, int brightness) {
    const cv::Mat wanted(480, 640, CV_32FC3, cv::Scalar::all(brightness / 255.0));
    return mat.type() == wanted.type() && mat.size() == wanted.size() &&
           cv::norm(mat, wanted, cv::NORM_INF) < 1e-6;
}
/// It can hold a hundred thousand bytes.
cv::Mat painted(int value) {
    cv::Mat made = buffer_mat(100, 1000, CV_8U);
    made.setTo(value);
    return made;
}
bool is_painted(const cv::Mat& mat, int value) {
    return mat.type() == CV_8U && mat.size() == cv::Size(1000, 100) && cv::countNonZero(mat != value) == 0;
}

TEST(buffer_mat, is_the_memory_that_opencv_has_filled_in_the_task) {
    for (const auto method : {start_method::fork, start_method::forkserver, start_method::spawn}) {
        mp::Pool pool(mp::PoolOptions{.processes = 2, .start_method = method});
        int brightness = 10;
        for (const cv::Mat& mat : pool.map(normalised, std::vector{10, 11, 12})) {
            EXPECT_TRUE(is_in_pool_memory(mat.data));
            EXPECT_TRUE(is_normalised(mat, brightness++));
        }
        EXPECT_TRUE(is_painted(pool.apply(painted, 7), 7));
    }
}

TEST(buffer_mat, stays_while_any_mat_of_the_caller_shows_it) {
    std::optional<cv::Mat> kept;
    {
        mp::Pool pool(1);
        const cv::Mat first = pool.apply(painted, 1);
        kept = first.row(50);
        EXPECT_THROW(pool.apply([] { ::raise(SIGKILL); }), mp::WorkerDied);
        for (int value = 2; value < 12; ++value) EXPECT_TRUE(is_painted(pool.apply(painted, value), value));
        EXPECT_TRUE(is_painted(first, 1));
    }
    EXPECT_EQ(cv::countNonZero(*kept != 1), 0);
    EXPECT_TRUE(is_in_pool_memory(kept->data));
}

TEST(buffer_mat, may_be_dropped_by_a_forked_child) {
    mp::Pool pool(1);
    std::optional<cv::Mat> kept = pool.apply(painted, 3);
    const pid_t child = ::fork();
    if (child == 0) {
        kept.reset();
        std::_Exit(0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    for (int value = 0; value < 5; ++value) pool.apply(painted, value);
    EXPECT_TRUE(is_painted(*kept, 3));
}

struct labelled {
    std::string name;
    cv::Mat image;
    std::vector<cv::Mat> tiles;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(name, image, tiles);
    }
};

TEST(buffer_mat, stays_where_it_is_inside_of_structs_and_tuples_and_as_a_typed_mat) {
    mp::Pool pool(1);
    const labelled one = pool.apply([] { return labelled{"a", painted(1), {painted(2), painted(3)}}; });
    EXPECT_TRUE(is_painted(one.image, 1) && is_in_pool_memory(one.image.data));
    EXPECT_TRUE(is_painted(one.tiles.at(1), 3) && is_in_pool_memory(one.tiles[1].data));
    const auto [number, mat] = pool.apply([] { return std::tuple(4, painted(4)); });
    EXPECT_TRUE(is_painted(mat, number) && is_in_pool_memory(mat.data));
    const cv::Mat_<std::uint8_t> typed = pool.apply([] { return cv::Mat_<std::uint8_t>(painted(5)); });
    EXPECT_TRUE(is_painted(typed, 5) && is_in_pool_memory(typed.data));
}

TEST(buffer_mat, that_the_task_keeps_or_shows_a_part_of_is_copied) {
    mp::Pool pool(1);
    const auto keep = [](int value) {
        static cv::Mat kept = painted(1);
        if (value > 0) kept.setTo(value);
        return kept;
    };
    const cv::Mat first = pool.apply(keep, 0);
    EXPECT_TRUE(is_painted(pool.apply(keep, 9), 9));
    EXPECT_TRUE(is_painted(first, 1)) << "the worker writes to its own";
    EXPECT_FALSE(is_in_pool_memory(first.data));

    const auto part = pool.apply([](cv::Rect of) { return painted(2)(of); }, cv::Rect(10, 10, 900, 80));
    EXPECT_TRUE(part.size() == cv::Size(900, 80) && cv::countNonZero(part != 2) == 0);
    const auto below = pool.apply([] { return painted(3).rowRange(20, 100); });
    EXPECT_TRUE(below.rows == 80 && cv::countNonZero(below != 3) == 0);
    EXPECT_FALSE(is_in_pool_memory(part.data) || is_in_pool_memory(below.data));
    const auto above = pool.apply([] { return painted(4).rowRange(0, 80); });
    EXPECT_TRUE(above.rows == 80 && cv::countNonZero(above != 4) == 0);
    EXPECT_TRUE(is_in_pool_memory(above.data));
    const auto twice = pool.apply([] {
        const cv::Mat one = painted(5);
        return std::vector{one, one};
    });
    EXPECT_TRUE(is_painted(twice[0], 5) && is_painted(twice[1], 5) && twice[0].data != twice[1].data);
}

TEST(buffer_mat, arrives_whole_whatever_its_size_and_way) {
    mp::Pool pool(mp::PoolOptions{.processes = 1, .arena_limit = 150'000});
    std::vector<cv::Mat> kept;
    for (int value = 0; value < 4; ++value) kept.push_back(pool.apply(painted, value));
    for (int value = 0; value < 4; ++value)
        EXPECT_TRUE(is_painted(kept[static_cast<std::size_t>(value)], value));
    EXPECT_FALSE(is_in_pool_memory(kept.back().data)) << "beyond the limit";
    EXPECT_TRUE(pool.apply([] { return buffer_mat(); }).empty());
    EXPECT_EQ(pool.apply([] { return buffer_mat(0, 5, CV_32F); }).cols, 5);
    const cv::Mat small = pool.apply([] {
        cv::Mat made = buffer_mat(2, 3, CV_64FC2);
        made.setTo(cv::Scalar(1, 2));
        return made;
    });
    EXPECT_EQ(small.at<cv::Vec2d>(1, 2), cv::Vec2d(1, 2));
    // As an argument it is copied, and in the worker it is again a result that is not.
    EXPECT_TRUE(is_painted(pool.apply([](cv::Mat mat) { return mat; }, kept[0]), 0));
    EXPECT_TRUE(is_painted(mp::ThreadPool(1).apply(painted, 6), 6));
    EXPECT_TRUE(is_painted(mp::Pool(mp::PoolOptions{.processes = 0}).apply(painted, 6), 6));
}

TEST(buffer_allocator, of_all_mats_of_a_worker_spares_them_the_copy) {
    mp::Pool pool(1, [] { cv::Mat::setDefaultAllocator(mp::interop::buffer_allocator()); });
    const cv::Mat result = pool.apply([] { return cv::Mat(cv::Mat::ones(500, 500, CV_32F) * 3); });
    EXPECT_TRUE(is_in_pool_memory(result.data));
    EXPECT_EQ(cv::countNonZero(result != 3), 0);
}

TEST(buffer_mat, as_a_message_that_lies_is_refused) {
    const test::message made = test::encoded(buffer_mat(2, 3, CV_8U));
    const std::vector<std::byte> good(made.bytes.bytes().begin(), made.bytes.bytes().end());
    const auto refusal = [](std::vector<std::byte> bad, std::size_t at, int value) {
        std::memcpy(bad.data() + at, &value, sizeof value);
        return test::refusal<cv::Mat>(bad);
    };
    EXPECT_EQ(test::refusal<cv::Mat>(good), "accepted");
    EXPECT_NE(refusal(good, 8, 200).find("arrived with 6"), std::string::npos);  // rows
    EXPECT_NE(refusal(good, 16, 5), "accepted");                                 // bytes
    EXPECT_EQ(test::refusal<cv::Mat_<float>>(good).find("accepted"), std::string::npos);
    for (std::size_t cut = 0; cut < good.size(); ++cut)
        EXPECT_NE(test::refusal<cv::Mat>(std::span(good).first(cut)), "accepted") << cut;
}

}  // namespace interop_opencv_buffer_test
