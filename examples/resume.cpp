// SPDX-License-Identifier: MIT
// A batch that goes on where it stopped: run it, interrupt it anywhere, and run it again.
// Usage: resume [JOURNAL]
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include <procpool/freeze_support.hpp>
#include <procpool/journal.hpp>
#include <procpool/pool.hpp>

namespace mp = procpool;

/// Stands for hours of work: how many steps a number takes in the sequence of Collatz.
long steps(long number) {
    if (number == 250) throw std::runtime_error("no steps for 250");
    if (number == 500) std::abort();  // a native library that this input drives mad
    long count = 0;
    for (long n = number + 1; n != 1; ++count) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    return count;
}

// [run]
/// One run of the program; `journal` is the file that the next one begins with.
void run(const std::string& journal, long most) {
    mp::Pool pool(2);
    const std::vector<mp::Outcome<long>> outcomes =
        pool.try_map(steps, std::views::iota(0L, most), {.journal = {journal, {.give_up_after = 2}}});
    long sum = 0, failed = 0;
    for (const mp::Outcome<long>& outcome : outcomes) {
        if (outcome)
            sum += *outcome;
        else
            ++failed;
    }
    std::cout << outcomes.size() - static_cast<std::size_t>(failed) << " results, their sum is " << sum
              << "\n";
    for (const mp::Outcome<long>& outcome : outcomes)
        if (!outcome) std::cout << "  " << outcome.what() << "\n";
}
// [/run]

int main(int argc, char** argv) {
    mp::freeze_support(argc, argv);
    if (argc > 1) {
        run(argv[1], 1000);
        return 0;
    }
    const std::string journal = std::filesystem::temp_directory_path() / "procpool-resume.journal";
    std::filesystem::remove(journal);
    run(journal, 600);   // as far as it came
    run(journal, 1000);  // takes what is there, and runs the rest, and what has failed
    run(journal, 1000);  // has all of it, and leaves alone what killed two workers
    std::filesystem::remove(journal);
}
