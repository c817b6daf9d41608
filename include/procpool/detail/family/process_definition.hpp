// SPDX-License-Identifier: MIT
// What a new Process reads first: who it is.
#ifndef PROCPOOL_DETAIL_FAMILY_PROCESS_DEFINITION_HPP
#define PROCPOOL_DETAIL_FAMILY_PROCESS_DEFINITION_HPP

#include <cstdint>
#include <string>

#include "procpool/detail/only_if_used.hpp"
#include "procpool/detail/wire/sink.hpp"
#include "procpool/detail/worker/process_identity.hpp"
#include "procpool/detail/zygote/birth.hpp"

namespace procpool::inline v0_1::detail::family {

/// The beginning of its definition, for worker::process_main(); behind it stands what it calls.
template <class = only_if_used>
wire::buffer head_of_definition(const std::string& name, const std::string& place, bool is_daemon) {
    wire::buffer head;
    wire::pins none;
    const wire::sink to{head, none};
    const worker::process_facts parent = worker::own_facts();
    head.append_value(zygote::birth_record::word{0});
    wire::encode(to, name);
    wire::encode(to, place);
    head.append_value(is_daemon);
    wire::encode(to, parent.name);
    head.append_value(std::int64_t{parent.pid});
    head.append_value(parent.daemon);
    return head;
}

}  // namespace procpool::inline v0_1::detail::family

#endif
