// SPDX-License-Identifier: MIT
// What is measured of each C++ arm; arms.py measures the same of the Python libraries.
//
// An arm is a class:
//   Arm(workers), Arm(workers, initializer)   the destructor stops its workers
//   map(f, inputs, chunk)                     a vector of the results; chunk 0 is the arm's default
//   imap(f, inputs), imap_unordered(f, inputs)                        where it has such
//   submit(f, input)                          a handle with get(), where it has such
#ifndef PROCPOOL_BENCHMARKS_COMPARE_SECTIONS_HPP
#define PROCPOOL_BENCHMARKS_COMPARE_SECTIONS_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "arm.hpp"
#include "tasks.hpp"
#ifdef COMPARE_WITH_OPENCV
#include "pictures.hpp"
#include "procpool/partial.hpp"
#endif

namespace compare {

template <class T = long>
std::vector<T> numbers_to(std::size_t n) {
    std::vector<T> numbers(n);
    std::iota(numbers.begin(), numbers.end(), T{0});
    return numbers;
}

template <class T>
double sum(const std::vector<T>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}
template <class T>
double sum(const std::vector<std::vector<T>>& values) {
    double total = 0;
    for (const auto& each : values) total += sum(each);
    return total;
}

template <class Arm>
void start(const settings& how) {
    const auto inputs = numbers_to(static_cast<std::size_t>(how.workers));
    const auto once = [&] {
        require(Arm(how.workers).map(cube, inputs, 1).size() == inputs.size(), "start");
    };
    once();
    std::vector<double> all;
    for (int i = 0; i < (how.quick ? 1 : 11); ++i) all.push_back(seconds(once));
    report("start + map + stop", 1e3 * median(all), "ms");
}

template <class Arm>
void tasks(const settings& how) {
    Arm arm(how.workers);
    const auto measure = [&](const char* metric, std::size_t most, bool ordered, auto call) {
        const double all = rate(how, 1000, most, [&](std::size_t n) {
            const auto inputs = numbers_to(n);
            std::vector<long> cubes;
            const double took = seconds([&] { cubes = call(inputs); });
            if (!ordered) std::sort(cubes.begin(), cubes.end());
            bool right = cubes.size() == n;
            for (std::size_t i = 0; i < cubes.size(); ++i) right &= cubes[i] == cube(static_cast<long>(i));
            require(right, metric);
            return took;
        });
        report(metric, all, "tasks/s");
    };
    constexpr std::size_t many = 2'000'000;
    measure("map c1", many, true, [&](const auto& inputs) { return arm.map(cube, inputs, 1); });
    if constexpr (requires { arm.imap(cube, numbers_to(1)); }) {
        measure("imap c1", many, true, [&](const auto& inputs) { return arm.imap(cube, inputs); });
        measure("imap_unordered c1", many, false,
                [&](const auto& inputs) { return arm.imap_unordered(cube, inputs); });
    }
    if constexpr (requires { arm.submit(cube, 1L); }) {
        measure("apply_async + get", 10'000, true, [&](const auto& inputs) {
            std::vector<decltype(arm.submit(cube, 1L))> handles;
            for (const long x : inputs) handles.push_back(arm.submit(cube, x));
            std::vector<long> cubes;
            for (auto& handle : handles) cubes.push_back(handle.get());
            return cubes;
        });
    }
    measure("map default", many, true, [&](const auto& inputs) { return arm.map(cube, inputs, 0); });
    measure("map c1000", many, true, [&](const auto& inputs) { return arm.map(cube, inputs, 1000); });
}

template <class Arm>
void apply(const settings& how) {
    if constexpr (requires(Arm arm) { arm.submit(cube, 1L); }) {
        Arm arm(how.workers);
        std::vector<double> took;
        for (std::size_t i = 0, n = how.amount(3000); i < n; ++i) {
            took.push_back(seconds([&] { require(arm.submit(cube, 3L).get() == 27, "apply"); }));
        }
        report("apply p50", 1e6 * percentile(took, 0.5), "us");
        report("apply p99", 1e6 * percentile(took, 0.99), "us");
    }
}

/// Arrays there and back, by what an arm has for that.
template <class Arm>
auto echo_all(Arm& arm, const std::vector<std::vector<double>>& inputs) {
    if constexpr (requires { arm.echo(inputs); })
        return arm.echo(inputs);
    else
        return arm.map(echo, inputs, 1);
}

template <class Arm>
void payload(const settings& how) {
    Arm arm(how.workers);
    for (const auto& [name, size] : {std::pair("1 KiB", std::size_t{1} << 10),
                                     {"64 KiB", std::size_t{64} << 10},
                                     {"1 MiB", std::size_t{1} << 20},
                                     {"16 MiB", std::size_t{16} << 20}}) {
        const double all = rate(how, 4, (std::size_t{64} << 20) / size, [&](std::size_t n) {
            const std::vector inputs(n, std::vector<double>(size / sizeof(double), 1.5));
            std::optional<decltype(echo_all(arm, inputs))> back;
            const double took = seconds([&] { back.emplace(echo_all(arm, inputs)); });
            require(std::ranges::equal(*back, inputs,
                                       [](const auto& a, const auto& b) { return std::ranges::equal(a, b); }),
                    "echo");
            return took;
        });
        report(std::string("echo ") + name, 2e-6 * all * static_cast<double>(size), "MB/s");
    }
}

/// Work of so many seconds by one CPU, as a part of what the workers could have done in that time.
template <class Arm>
double efficiency(Arm& arm, const settings& how, const std::vector<long>& turns, long chunk, double* took) {
    std::vector<long> some;
    const std::size_t step = std::clamp<std::size_t>(turns.size() / 20, 1, 20);
    for (std::size_t i = 0; i < turns.size(); i += step) some.push_back(turns[i]);
    const auto serial = [&] {
        return seconds([&] {
                   for (const long n : some) spin(n);
               }) /
               sum(some);
    };
    const double before = serial();
    *took = seconds([&] { require(arm.map(spin, turns, chunk) == turns, "spin"); });
    return std::min(before, serial()) * sum(turns) / how.workers / *took;
}

template <class Arm>
void efficiency_of_small_tasks(const settings& how) {
    Arm arm(how.workers);
    const double speed = turns_per_second();
    for (const auto& [name, length] : {std::pair("10 us", 1e-5), {"100 us", 1e-4}, {"1 ms", 1e-3}}) {
        double reached = 0;
        rate(how, how.amount(1000), how.amount(64'000), [&](std::size_t n) {
            double took;
            reached = efficiency(arm, how, std::vector(n, static_cast<long>(length * speed)), 1, &took);
            return took;
        });
        report(std::string("efficiency at ") + name, reached, "");
    }
}

template <class Arm>
void batching(const settings& how) {
    Arm arm(how.workers);
    const double speed = turns_per_second();
    for (const auto& [name, times] : task_times(how)) {
        std::vector<long> turns;
        for (const double time : times) turns.push_back(static_cast<long>(time * speed));
        double took;
        report(name, efficiency(arm, how, turns, 0, &took), "");
    }
}

template <class Arm>
void mpi4py(const settings& how) {
    Arm arm(how.workers);
    std::vector<long> candidates(primes.begin(), primes.end());
    if (how.quick) candidates.assign(4, 1'000'003);
    std::vector<int> found;
    const auto is_prime_as_int = [](long n) { return is_prime(n) ? 1 : 0; };
    double took = seconds([&] { found = arm.map(is_prime_as_int, candidates, 1); });
    report("primes", took, "s", sum(found));

    std::vector<std::vector<std::uint8_t>> picture;
    const auto lines = [&](int all) { return numbers_to<int>(how.amount(static_cast<std::size_t>(all))); };
    took = seconds([&] { picture = arm.map(julia_line, lines(julia_plane.height), 10); });
    report("Julia", took, "s", sum(picture));
    took = seconds([&] { picture = arm.map(mandelbrot_line, lines(mandelbrot_plane.height), 10); });
    report("Mandelbrot", took, "s", sum(picture));
}

template <class Arm>
void mpire(const settings& how) {
    const auto texts = documents(how.amount(200));
    std::vector<words> popular;
    double took = seconds([&] { popular = Arm(how.workers).map(newly_popular, texts, 1); });
    std::set<std::string> all;
    for (const words& some : popular) all.insert(some.begin(), some.end());
    require(how.quick || all.size() > 1000, "word counting");
    report("word counting", took, "s");
#ifdef COMPARE_WITH_OPENCV
    cv::setNumThreads(1);
    const image_array image = noise_image(how.quick ? 500 : 5000);
    const auto weights = filters(how.amount(8));
    std::vector<std::vector<double>> filtered;
    took = seconds([&] { filtered = Arm(how.workers).map(procpool::partial(convolve, image), weights, 1); });
    report("convolution", took, "s", sum(filtered));

    const auto inputs = batches(how.amount(60));
    std::vector<std::vector<int>> digits;
    took = seconds([&] { digits = Arm(how.workers, build_network).map(classify, inputs, 1); });
    report("inference", took, "s", sum(digits));
#endif
}

template <class Arm>
void tutorial(const settings& how) {
    std::vector<long> cubes;
    std::vector<long> inputs = numbers_to(1000);
    inputs.erase(inputs.begin());
    const double took = seconds([&] { cubes = Arm(3).map(cube, inputs, 0); });
    report("cube(1..999), 3 workers", 1e3 * took, "ms", sum(cubes));
#ifdef COMPARE_WITH_OPENCV
    cv::setNumThreads(1);
    const std::size_t n = how.amount(2000);
    std::string folder = std::filesystem::temp_directory_path() / "procpool_compare_XXXXXX";
    require(::mkdtemp(folder.data()) != nullptr, "mkdtemp");
    Arm arm(how.workers);
    const double writing =
        seconds([&] { arm.map(procpool::partial(write_picture, folder), numbers_to<int>(n), 0); });
    picture_array all({n, picture_side, picture_side, 3});
    const double reading =
        seconds([&] { arm.map(procpool::partial(read_picture, all, folder), numbers_to<int>(n), 0); });
    std::filesystem::remove_all(folder);
    report("PNG files written", writing, "s");
    report("PNG files read", reading, "s", std::accumulate(all.begin(), all.end(), 0.0));
#endif
}

template <class Arm>
void run_section(std::string_view name, const settings& how) {
    if (name == "start") return start<Arm>(how);
    if (name == "tasks") return tasks<Arm>(how);
    if (name == "apply") return apply<Arm>(how);
    if (name == "payload") return payload<Arm>(how);
    if (name == "efficiency") return efficiency_of_small_tasks<Arm>(how);
    if (name == "batching") return batching<Arm>(how);
    if (name == "mpi4py") return mpi4py<Arm>(how);
    if (name == "mpire") return mpire<Arm>(how);
    if (name == "tutorial") return tutorial<Arm>(how);
    throw std::invalid_argument("there is no section " + std::string(name));
}

}  // namespace compare

#endif
