// SPDX-License-Identifier: MIT
// What is compiled for coverage: coverage.sh looks at how often it was run.
int counted_task(int x) {
    if (x < 0) return 0;
    return 2 * x;  // in workers only
}
