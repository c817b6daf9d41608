// SPDX-License-Identifier: MIT
// What is encoded for another machine: all of it is in the message, and what belongs to this one is refused.
#include <gtest/gtest.h>

#include <cereal/types/vector.hpp>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "procpool/detail/call/encode.hpp"
#include "procpool/detail/call/remote_job_of.hpp"
#include "procpool/detail/wire/codec.hpp"
#include "procpool/detail/wire/other_machines.hpp"
#include "procpool/dynamic_array.hpp"
#include "procpool/partial.hpp"
#include "procpool/pipe.hpp"
#include "procpool/queue.hpp"
#include "procpool/shared_array.hpp"
#include "procpool/sync.hpp"
#include "procpool/value.hpp"
#include "support/message_of.hpp"

namespace other_machines_test {

namespace mp = procpool;
namespace call = procpool::detail::call;
namespace scheduler = procpool::detail::scheduler;
namespace wire = procpool::detail::wire;

struct holder {
    std::vector<mp::Lock> locks;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(locks);
    }
};

scheduler::block block_for(const std::shared_ptr<wire::arena>& memory) {
    return {.bytes = {}, .pins = {}, .large = {memory}};
}

/// What is said when `value` is to be an argument there.
template <class T>
std::string refusal_of(const T& value) {
    auto arguments = block_for(wire::other_machines());
    call::append_element(arguments, std::tuple(1));
    const std::string text =
        test::message_of<mp::SerializationError>([&] { call::append_element(arguments, std::tie(value)); });
    EXPECT_EQ(arguments.count, 1u);
    EXPECT_TRUE(arguments.pins.empty());
    auto here = block_for(nullptr);
    call::append_element(here, std::tie(value));
    EXPECT_EQ(here.count, 1u);
    return text;
}

TEST(OtherMachines, get_no_handles_of_what_belongs_to_this_one) {
    EXPECT_EQ(
        refusal_of(mp::Lock()),
        "procpool: a procpool::Lock belongs to one run of the program on one machine, and can't go to another "
        "machine, nor into a journal; send values, for example a std::vector, or let the tasks make their own");
    const auto refused = [](const auto& value, const std::string& name) {
        EXPECT_TRUE(refusal_of(value).starts_with("procpool: a procpool::" + name)) << refusal_of(value);
    };
    refused(mp::RLock(), "RLock");
    refused(mp::Semaphore(1), "Semaphore");
    refused(mp::BoundedSemaphore(1), "BoundedSemaphore");
    refused(mp::Condition(), "Condition");
    refused(mp::Event(), "Event");
    refused(mp::Barrier(2), "Barrier");
    refused(mp::Queue<int>(), "Queue<int>");
    refused(mp::SimpleQueue<std::string>(), "SimpleQueue<std::");
    refused(mp::JoinableQueue<int>(), "JoinableQueue<int>");
    refused(mp::Value<int>(1), "Value<int>");
    refused(mp::RawValue<int>(1), "RawValue<int>");
    refused(mp::Array<int>(3), "Array<int>");
    refused(mp::SharedArray<double, 1>({3}), "SharedArray<double, 1");
    refused(mp::SharedArray<double>({3, 4}), "SharedArray<double");
    refused(mp::Pipe().first, "Connection");
}

TEST(OtherMachines, get_no_handles_inside_of_other_values) {
    EXPECT_NE(refusal_of(std::vector<mp::Event>(2)).find("procpool::Event"), std::string::npos);
    EXPECT_NE(refusal_of(std::pair(1, mp::Value<int>(1))).find("procpool::Value"), std::string::npos);
    EXPECT_NE(refusal_of(holder{{mp::Lock()}}).find("procpool::Lock"), std::string::npos);
}

int with_lock(const mp::Lock&, int number) { return number; }

TEST(OtherMachines, get_no_handles_by_callables) {
    auto bound = mp::partial(with_lock, mp::Lock());
    using task = call::remote_task<decltype(bound), int>;
    EXPECT_FALSE(task::define(bound).bytes.empty());
    const std::string text =
        test::message_of<mp::SerializationError>([&] { task::define(bound, wire::other_machines()); });
    EXPECT_TRUE(text.starts_with("procpool: a procpool::Lock")) << text;
}

TEST(OtherMachines, get_large_values_in_the_message) {
    const std::vector<int> numbers(1 << 18, 7);
    auto arguments = block_for(wire::other_machines());
    call::append_element(arguments, std::tie(numbers));
    EXPECT_GE(arguments.bytes.size(), numbers.size() * sizeof(int));
    EXPECT_TRUE(arguments.large.parts.empty());
    wire::element_reader reader(arguments.payload(), arguments.stride);
    wire::cursor from(reader.next());
    EXPECT_EQ(wire::codec<std::vector<int>>::decode(from), numbers);
}

}  // namespace other_machines_test
