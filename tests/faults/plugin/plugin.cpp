// SPDX-License-Identifier: MIT
namespace {
int plus_ten(int x) { return x + 10; }
}  // namespace

extern "C" int (*plugin_function())(int) { return &plus_ten; }
