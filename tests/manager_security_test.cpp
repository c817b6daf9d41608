// SPDX-License-Identifier: MIT
// Who is not of the program gets nothing from a manager, and nothing from those who use one.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "procpool/manager.hpp"
#include "procpool/process.hpp"
#include "support/message_of.hpp"
#include "support/processes.hpp"
#include "support/users.hpp"
#include "support/wait.hpp"

namespace manager_security_test {

namespace mp = procpool;
namespace family = procpool::detail::family;
using namespace std::chrono_literals;
using test::message_of;

/// The name of a socket, as anybody can read it in /proc/net/unix.
struct socket_name {
    sockaddr_un text{};
    socklen_t size = 0;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&text); }
};

/// The name that this process's connections to its manager lead to.
socket_name name_of_manager() {
    for (const auto& [file, what] : test::descriptors_of(::getpid())) {
        socket_name name;
        name.size = sizeof name.text;
        if (::getpeername(file, reinterpret_cast<sockaddr*>(&name.text), &name.size) != 0) continue;
        if (name.text.sun_family != AF_UNIX || name.size <= offsetof(sockaddr_un, sun_path) + 10) continue;
        if (std::string_view(name.text.sun_path + 1, 9) == "procpool-") return name;
    }
    throw std::runtime_error("no connection to a manager");
}

/// A pipe to processes that are forked from this one, whatever user they become.
class plain_pipe {
public:
    plain_pipe() {
        if (::pipe2(ends_, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    }
    plain_pipe(const plain_pipe&) = delete;
    plain_pipe& operator=(const plain_pipe&) = delete;
    ~plain_pipe() { ::close(ends_[0]), ::close(ends_[1]); }

    template <class T>
    void send(const T& value) const {
        if (::write(ends_[1], &value, sizeof value) != sizeof value) throw std::runtime_error("can't send");
    }
    /// @throws std::runtime_error if nothing comes
    template <class T>
    T receive() const {
        T value;
        pollfd watched{ends_[0], POLLIN, 0};
        if (::poll(&watched, 1, static_cast<int>(std::chrono::milliseconds(test::patience).count())) != 1 ||
            ::read(ends_[0], &value, sizeof value) != sizeof value)
            throw std::runtime_error("nothing comes");
        return value;
    }

private:
    int ends_[2];
};

/// A socket of who knows a manager's name and nothing else.
class raw_socket {
public:
    raw_socket() : raw_socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
    raw_socket(raw_socket&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
    raw_socket& operator=(raw_socket&&) = delete;
    ~raw_socket() {
        if (file_ >= 0) ::close(file_);
    }

    static raw_socket connected_to(const socket_name& name) {
        raw_socket socket;
        if (::connect(socket.file_, name.get(), name.size) != 0) throw std::runtime_error("can't connect");
        return socket;
    }
    void listen_at(const socket_name& name) const {
        if (!test::eventually([&] { return ::bind(file_, name.get(), name.size) == 0; }))
            throw std::runtime_error("can't take the name");
        if (::listen(file_, 10) != 0) throw std::runtime_error("can't listen");
    }
    /// Nothing if nobody comes.
    std::optional<raw_socket> accept() const {
        if (!has_news()) return std::nullopt;
        return raw_socket(::accept4(file_, nullptr, nullptr, SOCK_CLOEXEC));
    }
    void send(std::string_view bytes) const { ::send(file_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
    /// What comes at once; nothing if the other side is gone or says nothing.
    std::string receive() const {
        char bytes[4096];
        const auto n = has_news() ? ::recv(file_, bytes, sizeof bytes, 0) : 0;
        return {bytes, n > 0 ? static_cast<std::size_t>(n) : 0};
    }
    std::string receive_to_end() const {
        std::string all;
        for (std::string piece; !(piece = receive()).empty();) all += piece;
        return all;
    }
    bool ended_by_other_side() const {
        char byte;
        const auto n = ::recv(file_, &byte, 1, MSG_DONTWAIT);
        return n == 0 || (n < 0 && errno == ECONNRESET);
    }

private:
    explicit raw_socket(int file) : file_(file) {
        if (file < 0) throw std::runtime_error("no socket");
    }
    bool has_news() const {
        pollfd watched{file_, POLLIN, 0};
        return ::poll(&watched, 1, static_cast<int>(std::chrono::milliseconds(test::patience).count())) > 0;
    }

    int file_;
};

std::string as_message(procpool::detail::wire::buffer content) {
    const std::uint64_t size = content.size() - sizeof size;
    std::memcpy(content.data(), &size, sizeof size);
    return {reinterpret_cast<const char*>(content.data()), content.size()};
}

/// What somebody sends who wants a list of a manager's.
std::string request_for_a_list() {
    auto request = family::manager_client::new_request(family::manager_request::kind::create, 0);
    procpool::detail::wire::encode_function(request, &mp::detail::make_managed<std::vector<int>>);
    return as_message(std::move(request));
}

/// What somebody answers who wants to be taken for a manager.
std::string answer_with_a_number(std::uint64_t number) {
    auto answer = procpool::detail::family::new_envelope();
    answer.append_value(family::manager_answer::value);
    answer.append_value(number);
    return as_message(std::move(answer));
}

/// A message that tells its own size, as all do that a manager's objects are used by.
bool is_a_message(const std::string& bytes) {
    std::uint64_t size = 0;
    if (bytes.size() < sizeof size) return false;
    std::memcpy(&size, bytes.data(), sizeof size);
    return size == bytes.size() - sizeof size;
}

/// Kills a manager's process, and returns what it listened at.
socket_name kill_and_take_name(const mp::Manager& manager) {
    const socket_name name = name_of_manager();
    ::kill(static_cast<pid_t>(manager.pid()), SIGKILL);
    return name;
}

// ---- who takes the name of a dead manager

/// A process that listens under the name of a dead manager.
class impostor {
public:
    /// `talk` gets the first connection and returns how many bytes came.
    template <class Talk>
    impostor(const socket_name& name, uid_t user, Talk talk)
        : program_([&, this] {
              raw_socket listener;
              if (user != ::geteuid()) test::become(user);
              listener.listen_at(name);
              listens_.send(true);
              return talk(listener);
          }) {
        listens_.receive<bool>();
    }
    int bytes_received() { return program_.wait().exit_code; }

private:
    plain_pipe listens_;
    test::child_program program_;
};

int give_a_false_answer(const raw_socket& listener) {
    const auto client = listener.accept();
    if (!client) return 98;
    const std::string said = client->receive();
    if (!said.empty()) client->send(answer_with_a_number(666));
    return static_cast<int>(std::min<std::size_t>(said.size(), 90));
}

TEST(Impostor, of_another_user_under_a_dead_managers_name_gets_not_a_byte_and_is_not_believed) {
    if (!test::may_become_another_user()) GTEST_SKIP() << "only root can become another user";
    mp::Manager manager;
    const auto list = manager.list<int>({1, 2, 3});
    ASSERT_EQ(list.size(), 3u);
    const socket_name name = kill_and_take_name(manager);
    impostor other(name, test::stranger, give_a_false_answer);
    EXPECT_THROW(list.size(), mp::ManagerDied) << "the connection that it had is gone";
    const auto text = message_of<mp::ManagerDied>([&] { EXPECT_NE(list.size(), 666u) << "a lie"; });
    EXPECT_NE(text.find("user 54322"), std::string::npos) << text;
    EXPECT_THROW(manager.list<int>(), mp::ManagerDied);
    EXPECT_EQ(other.bytes_received(), 0);
}

TEST(Impostor, that_does_not_know_the_secret_gets_no_request_and_is_not_believed) {
    mp::Manager manager;
    const auto list = manager.list<int>({1, 2, 3});
    ASSERT_EQ(list.size(), 3u);
    const socket_name name = kill_and_take_name(manager);
    constexpr std::size_t challenge = 16;
    impostor other(name, ::geteuid(), [](const raw_socket& listener) {
        const auto client = listener.accept();
        if (!client) return 98;
        std::string said = client->receive();
        client->send(answer_with_a_number(666));
        client->send(said + said);  // as long as any proof is
        said += client->receive_to_end();
        return static_cast<int>(std::min<std::size_t>(said.size(), 90));
    });
    EXPECT_THROW(list.size(), mp::ManagerDied) << "the connection that it had is gone";
    const auto text = message_of<mp::ManagerDied>([&] { EXPECT_NE(list.size(), 666u) << "a lie"; });
    EXPECT_NE(text.find("secret"), std::string::npos) << text;
    EXPECT_EQ(other.bytes_received(), challenge);
}

// ---- who connects to a manager

TEST(Stranger, of_another_user_is_not_answered) {
    if (!test::may_become_another_user()) GTEST_SKIP() << "only root can become another user";
    mp::Manager manager;
    const auto list = manager.list<int>();
    const socket_name name = name_of_manager();
    test::child_program other([&] {
        test::become(test::stranger);
        const auto socket = raw_socket::connected_to(name);
        socket.send(request_for_a_list());
        return static_cast<int>(socket.receive_to_end().size());
    });
    EXPECT_EQ(other.wait().exit_code, 0);
    EXPECT_TRUE(list.empty());
}

/// What a manager says to somebody who knows all but its secret, in answer to requests of all kinds.
std::string ask_without_the_secret(const socket_name& name) {
    const auto impatient = raw_socket::connected_to(name);
    impatient.send(request_for_a_list());
    std::string said = impatient.receive_to_end();
    if (is_a_message(said)) return said;

    const auto patient = raw_socket::connected_to(name);  // says something like a proof where one is wanted
    patient.send(std::string(16, 'x'));
    said = patient.receive();
    patient.send(said.substr(0, 16) + request_for_a_list());
    return patient.receive_to_end();
}

TEST(Stranger, that_does_not_know_the_secret_is_not_answered) {
    mp::Manager manager;
    const auto list = manager.list<int>();
    EXPECT_EQ(ask_without_the_secret(name_of_manager()), "");
    EXPECT_TRUE(list.empty());
}

TEST(Stranger, gets_nowhere_with_the_managers_own_proof_or_one_of_another_connection) {
    mp::Manager manager;
    const auto list = manager.list<int>();
    const auto first = raw_socket::connected_to(name_of_manager());
    first.send(std::string(16, 'x'));
    const std::string proof = first.receive();
    ASSERT_EQ(proof.size(), 32u) << "a challenge and a proof";
    first.send(proof.substr(16) + request_for_a_list());
    EXPECT_EQ(first.receive_to_end(), "");
    const auto second = raw_socket::connected_to(name_of_manager());
    second.send(std::string(16, 'x'));
    EXPECT_NE(second.receive(), proof) << "each connection has a challenge of its own";
    second.send(proof.substr(16) + request_for_a_list());
    EXPECT_EQ(second.receive_to_end(), "");
}

/// This process, of root's, is in a user namespace from now on, and there the user `inside`; it has to be
/// told when that one has a mapping. All others who have none are shown there as the kernel's overflow id.
void enter_user_namespace(uid_t inside, const plain_pipe& entered, const plain_pipe& mapped) {
    const bool possible = ::unshare(CLONE_NEWUSER) == 0;
    entered.send(possible);
    mapped.receive<bool>();
    if (::setresgid(inside, inside, inside) != 0 || ::setresuid(inside, inside, inside) != 0)
        throw std::runtime_error("can't become the user of the namespace");
    // As after any exec.
    __user_cap_header_struct whose{_LINUX_CAPABILITY_VERSION_3, 0};
    const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
    if (::syscall(SYS_capset, &whose, none.data()) != 0 || ::prctl(PR_SET_DUMPABLE, 1) != 0)
        throw std::runtime_error("can't give capabilities up");
}

TEST(Stranger, without_a_mapping_in_the_managers_user_namespace_is_not_answered) {
    if (!test::may_become_another_user()) GTEST_SKIP() << "only root can become another user";
    uid_t nobody = 0;
    std::ifstream("/proc/sys/kernel/overflowuid") >> nobody;
    const plain_pipe entered, mapped, names, asked;
    test::child_program inside([&] {
        enter_user_namespace(nobody, entered, mapped);
        mp::Manager manager;
        const auto list = manager.list<int>();
        names.send(name_of_manager());
        asked.receive<bool>();
        list.append(1);
        return list.size() == 1 ? 0 : 1;
    });
    if (!entered.receive<bool>()) GTEST_SKIP() << "no user namespaces here";
    for (const char* const map : {"/uid_map", "/gid_map"})
        std::ofstream("/proc/" + std::to_string(inside.pid()) + map) << nobody << " 54323 1\n";
    mapped.send(true);
    socket_name name;
    ASSERT_NO_THROW(name = names.receive<socket_name>()) << inside.wait().errors;
    test::child_program outside([&] {
        test::become(test::stranger);
        return ask_without_the_secret(name).empty() ? 0 : 1;
    });
    EXPECT_EQ(outside.wait().exit_code, 0) << "a stranger was answered";
    asked.send(true);
    const auto end = inside.wait();
    EXPECT_EQ(end.exit_code, 0) << end.errors;
}

TEST(Stranger, who_connects_and_says_nothing_holds_up_nobody_and_is_dropped) {
    mp::Manager manager;
    const auto list = manager.list<int>();
    const socket_name name = name_of_manager();
    const std::string process = "/proc/" + std::to_string(manager.pid());
    const auto count = [&](const char* what) {
        std::size_t n = 0;
        for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(process + what)) ++n;
        return n;
    };
    const std::size_t threads = count("/task");
    constexpr std::size_t most_waiting = 64;  // and a few connections and pipes of others
    std::vector<raw_socket> silent;
    const auto come_and_say_nothing = [&] {
        silent.push_back(raw_socket::connected_to(name));
        if (silent.size() % 2 == 0) silent.back().send("four");  // and no more
    };
    for (int i = 0; i < 400; ++i) come_and_say_nothing();
    mp::Process user([](const mp::ListProxy<int>& to) { to.append(1); }, list);
    user.start();
    const auto deadline = std::chrono::steady_clock::now() + test::patience;
    // There are always as many as may wait, so who had to wait for them would wait for ever.
    while (!user.join(20ms) && std::chrono::steady_clock::now() < deadline) come_and_say_nothing();
    EXPECT_EQ(user.exitcode(), 0);
    EXPECT_EQ(list.size(), 1u);
    EXPECT_TRUE(test::eventually([&] { return count("/fd") < most_waiting + 20; })) << count("/fd");
    EXPECT_LE(count("/task"), threads + 10) << "a thread each";
    EXPECT_TRUE(test::eventually([&] {
        return std::ranges::all_of(silent, [](const raw_socket& one) { return one.ended_by_other_side(); });
    })) << "they may stay for ever";
    EXPECT_EQ(list.size(), 1u);
}

}  // namespace manager_security_test
