// SPDX-License-Identifier: MIT
// What a C++ program could use instead, without processes, as arms of the comparison: a plain loop, a thread
// pool of fifty lines, std::async, and where they are installed oneTBB and OpenMP.
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "sections.hpp"
#ifdef COMPARE_WITH_TBB
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#endif

namespace {

template <class F, class Inputs>
using results_of = std::vector<std::invoke_result_t<F&, const typename Inputs::value_type&>>;

class serial {
public:
    explicit serial(int /*workers*/) {}
    serial(int /*workers*/, void (*initializer)()) { initializer(); }

    template <class F, class Inputs>
    auto map(F function, const Inputs& inputs, long /*chunk*/) {
        results_of<F, Inputs> results;
        for (const auto& input : inputs) results.push_back(function(input));
        return results;
    }
};

/// map() for an arm whose submit() gives a future: one task a chunk, by default as many chunks as in Python.
template <class Arm>
class by_futures {
public:
    template <class F, class Inputs>
    auto map(F function, const Inputs& inputs, long chunk) {
        const std::size_t n = inputs.size(), chunks = 4 * static_cast<std::size_t>(workers_);
        const std::size_t step = chunk ? static_cast<std::size_t>(chunk) : (n + chunks - 1) / chunks;
        results_of<F, Inputs> results(n);
        const auto piece = [&](std::size_t first) {
            for (std::size_t i = first; i < std::min(first + step, n); ++i) results[i] = function(inputs[i]);
        };
        std::vector<std::future<void>> pieces;
        for (std::size_t first = 0; first < n; first += step)
            pieces.push_back(static_cast<Arm*>(this)->submit(piece, first));
        for (auto& done : pieces) done.get();
        return results;
    }

protected:
    explicit by_futures(int workers) : workers_(workers) {}

private:
    int workers_;
};

class async : public by_futures<async> {
public:
    explicit async(int workers) : by_futures(workers) {}
    async(int workers, void (*)()) : async(workers) {}

    template <class F, class Input>
    auto submit(F function, Input input) {
        return std::async(std::launch::async, function, input);
    }
};

/// A queue, a mutex and a condition variable.
class thread_pool : public by_futures<thread_pool> {
public:
    explicit thread_pool(int workers) : thread_pool(workers, [] {}) {}
    thread_pool(int workers, void (*initializer)()) : by_futures(workers) {
        for (int i = 0; i < workers; ++i) {
            threads_.emplace_back([this, initializer] {
                initializer();
                work();
            });
        }
    }
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;
    ~thread_pool() {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }
        wake_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

    template <class F, class Input>
    auto submit(F function, Input input) {
        using task = std::packaged_task<std::invoke_result_t<F&, Input&>()>;
        auto call = std::make_shared<task>([function, input]() mutable { return function(input); });
        auto result = call->get_future();
        {
            const std::lock_guard lock(mutex_);
            queue_.emplace_back([call = std::move(call)] { (*call)(); });
        }
        wake_.notify_one();
        return result;
    }

private:
    void work() {
        for (;;) {
            std::function<void()> next;
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [&] { return closed_ || !queue_.empty(); });
                if (queue_.empty()) return;
                next = std::move(queue_.front());
                queue_.pop_front();
            }
            next();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> queue_;
    bool closed_ = false;
    std::vector<std::thread> threads_;
};

#ifdef COMPARE_WITH_TBB
class one_tbb {
public:
    explicit one_tbb(int workers)
        : limit_(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(workers)),
          arena_(workers) {}
    one_tbb(int workers, void (*)()) : one_tbb(workers) {}

    template <class F, class Inputs>
    auto map(F function, const Inputs& inputs, long chunk) {
        results_of<F, Inputs> results(inputs.size());
        const auto piece = [&](const tbb::blocked_range<std::size_t>& range) {
            for (std::size_t i = range.begin(); i < range.end(); ++i) results[i] = function(inputs[i]);
        };
        using range = tbb::blocked_range<std::size_t>;
        arena_.execute([&] {
            if (chunk)
                tbb::parallel_for(range(0, inputs.size(), static_cast<std::size_t>(chunk)), piece,
                                  tbb::simple_partitioner());
            else
                tbb::parallel_for(range(0, inputs.size()), piece);
        });
        return results;
    }
    template <class F, class Input>
    auto submit(F function, Input input) {
        using result = std::invoke_result_t<F&, Input&>;
        auto promise = std::make_shared<std::promise<result>>();
        arena_.enqueue([=] { promise->set_value(function(input)); });
        return promise->get_future();
    }

private:
    tbb::global_control limit_;
    tbb::task_arena arena_;
};
#endif

#ifdef _OPENMP
class open_mp {
public:
    explicit open_mp(int workers) : workers_(workers) {}
    open_mp(int workers, void (*)()) : open_mp(workers) {}

    template <class F, class Inputs>
    auto map(F function, const Inputs& inputs, long chunk) {
        results_of<F, Inputs> results(inputs.size());
        const std::size_t n = inputs.size();
        if (chunk) {
#pragma omp parallel for schedule(dynamic, chunk) num_threads(workers_)
            for (std::size_t i = 0; i < n; ++i) results[i] = function(inputs[i]);
        } else {
#pragma omp parallel for schedule(guided) num_threads(workers_)
            for (std::size_t i = 0; i < n; ++i) results[i] = function(inputs[i]);
        }
        return results;
    }

private:
    int workers_;
};
#endif

}  // namespace

int main(int argc, char** argv) {
    return compare::run(argc, argv, [](std::string_view arm, std::string_view section, const auto& how) {
        if (arm == "serial") return compare::run_section<serial>(section, how);
        if (arm == "async") return compare::run_section<async>(section, how);
        if (arm == "thread_pool") return compare::run_section<thread_pool>(section, how);
#ifdef COMPARE_WITH_TBB
        if (arm == "onetbb") return compare::run_section<one_tbb>(section, how);
#endif
#ifdef _OPENMP
        if (arm == "openmp") return compare::run_section<open_mp>(section, how);
#endif
        std::printf(R"({"missing": "%s was not found when this was built"})"
                    "\n",
                    std::string(arm).c_str());
    });
}
