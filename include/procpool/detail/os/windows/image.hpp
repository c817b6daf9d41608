// SPDX-License-Identifier: MIT
// A program or DLL as it lies in memory or in its file: its headers.
#ifndef PROCPOOL_DETAIL_OS_WINDOWS_IMAGE_HPP
#define PROCPOOL_DETAIL_OS_WINDOWS_IMAGE_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace procpool::inline v0_1::detail::os {

/// The headers that are read here, at their offsets, of 64-bit modules.
struct image_headers {
    std::uint32_t signature;
    std::uint16_t machine, sections;
    std::uint32_t made, symbol_table, symbols;
    std::uint16_t optional_size, characteristics;
    struct {
        std::uint16_t magic, linker;
        std::uint32_t code, data, bss, entry, code_base;
        std::uint64_t image_base;
        std::uint32_t section_alignment, file_alignment, versions[4], image_size, headers_size, checksum;
        std::uint16_t subsystem, dll;
        std::uint64_t stack[2], heap[2];
        std::uint32_t loader_flags, directories;
        struct {
            std::uint32_t address, size;
        } directory[16];
    } optional;
};
static_assert(sizeof(image_headers) == 264);

struct image_section {
    char name[8];
    std::uint32_t size, address, file_size, file_offset, relocations, lines;
    std::uint16_t relocation_count, line_count;
    std::uint32_t characteristics;
};

inline std::uint64_t hash_bytes(std::uint64_t hash, const void* from, std::size_t size) noexcept {
    for (const auto* at = static_cast<const unsigned char*>(from); size > 0; --size, ++at)
        hash = (hash ^ *at) * 0x100000001b3U;
    return hash;
}

/// A module where the system has loaded it.
class loaded_image {
public:
    explicit loaded_image(std::uintptr_t base) noexcept : base_(reinterpret_cast<const std::byte*>(base)) {
        std::uint32_t offset = 0;
        std::memcpy(&offset, base_ + 0x3C, sizeof offset);
        at_ = base_ + offset;
        std::memcpy(&headers_, at_, sizeof headers_);
    }
    std::uint64_t hash_of_headers() const noexcept {
        image_headers same = headers_;
        same.optional.image_base = 0;  // where it lies here
        const std::uint64_t hash = hash_bytes(0xcbf29ce484222325U, &same, sizeof same);
        return hash_bytes(hash, at_ + sizeof same, headers_.sections * sizeof(image_section));
    }
    /// 0 if it has none.
    std::uint64_t hash_of_debug_id() const noexcept {
        struct entry {
            std::uint32_t characteristics, made, version, type, size, address, offset;
        };
        constexpr std::size_t debug = 6;
        constexpr std::uint32_t codeview = 2;
        const auto& all = headers_.optional.directory[debug];
        for (std::uint32_t i = 0; i < all.size / sizeof(entry); ++i) {
            entry one;
            std::memcpy(&one, base_ + all.address + i * sizeof one, sizeof one);
            if (one.type == codeview && one.size >= 24 && std::memcmp(base_ + one.address, "RSDS", 4) == 0)
                return hash_bytes(1, base_ + one.address + 4, 20);
        }
        return 0;
    }

private:
    const std::byte* base_;
    const std::byte* at_;
    image_headers headers_;
};

}  // namespace procpool::inline v0_1::detail::os

#endif
