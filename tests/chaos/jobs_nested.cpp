// SPDX-License-Identifier: MIT
// Jobs whose tasks run jobs of their own, in pools of their own.
#include <cereal/types/string.hpp>
#include <string>

#include "calls.hpp"

namespace chaos {

namespace {

struct order {
    script about;
    std::uint64_t seed = 0;
    std::uint64_t number = 0;  // of the job that it is to run
};

struct report {
    std::uint64_t index = 0;
    tally counts;
    std::string problem;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(index, counts, problem);
    }
};

report carry_out(const order& what) {
    play(what.about);
    report to_tell{.index = what.about.index, .counts = {}, .problem = {}};
    try {
        run_job(what.seed, what.number, nullptr, to_tell.counts, nullptr);
    } catch (const wrong& problem) {
        to_tell.problem = problem.what();
    } catch (...) {
        to_tell.problem = "nobody expected " + describe(std::current_exception());
    }
    return to_tell;
}

}  // namespace

void run_nested(job_context& job) {
    const std::size_t count = job.random.between<std::size_t>(1, 4);
    // Not run again after a death: the dead one's own workers may live on for a moment, and count too.
    book of(job.pool, job.number,
            draw_scripts(job.random, job.number, job.pool.plan.tag, count, {.deadly = 5}), 0);
    std::vector<order> orders;
    for (const script& element : of.scripts())
        orders.push_back({element, job.random.roll() >> 34,
                          std::uint64_t{1} << 40 | (job.number & 0xFFFF'FFFF) << 3 | element.index});
    judged(of, [&] {
        auto outcomes = job.pool->try_map(&carry_out, orders, {.chunksize = 1});
        for (std::size_t i = 0; i < of.size(); ++i) {
            if (!outcomes[i]) {
                of.error(outcomes[i].error(), i);
                continue;
            }
            if (!outcomes[i]->problem.empty())
                throw wrong("nested job " + std::to_string(orders[i].number) + " of seed " +
                            std::to_string(orders[i].seed) + ": " + outcomes[i]->problem);
            of.value(i, outcomes[i]->index == i);
            outcomes[i]->counts.nested_jobs = outcomes[i]->counts.jobs;
            job.counts += outcomes[i]->counts;
        }
    });
    of.settle(job.counts);
}

}  // namespace chaos
