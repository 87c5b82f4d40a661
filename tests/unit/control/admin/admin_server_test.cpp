// Tests of the admin socket: good requests, garbage, slow and greedy clients.
#include "control/admin/admin_server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "control/admin/admin_client.h"
#include "control/admin/audit_log.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

using nlohmann::json;

constexpr std::uint32_t kPatienceMs = 20'000;

// A client that can misbehave.
class RawClient {
 public:
  explicit RawClient(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
  }
  // False once the server has closed the connection.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t length = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (length <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(length));
    }
    return true;
  }
  // The next line without its newline; empty when the connection ended first.
  std::string line() {
    while (true) {
      const auto end = input_.find('\n');
      if (end != std::string::npos) {
        std::string found = input_.substr(0, end);
        input_.erase(0, end + 1);
        return found;
      }
      if (!receive()) return {};
    }
  }
  json answer() { return json::parse(line(), nullptr, false); }
  // Waits, with a bound, until the server closes the connection.
  bool closed() {
    while (receive()) {
    }
    return ended_;
  }

 private:
  bool receive() {
    pollfd polled{socket_.get(), POLLIN, 0};
    if (::poll(&polled, 1, kPatienceMs) <= 0) {
      ADD_FAILURE() << "nothing came from the server";
      return false;
    }
    char buffer[4096];
    const ssize_t length = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (length <= 0) {
      ended_ = true;
      return false;
    }
    input_.append(buffer, static_cast<std::size_t>(length));
    return true;
  }
  FileDescriptor socket_;
  std::string input_;
  bool ended_ = false;
};

class AdminServerTest : public ::testing::Test {
 protected:
  AdminServerTest() : path_(directory_.file("admin.sock")) {}
  AdminServer& start(AdminLimits limits = {}) {
    server_ = std::make_unique<AdminServer>(path_, limits);
    server_->on("status", [](const json&, const AdminPeer&) { return json{{"name", "s"}}; });
    server_->on("set", [](const json& request, const AdminPeer&) -> AdminReply {
      if (!request.contains("key")) return AdminError{"key", "is missing"};
      return json(true);
    });
    server_->on("who", [](const json&, const AdminPeer& peer) {
      return json{{"pid", peer.pid}, {"uid", peer.uid}};
    });
    server_->on("big",
                [](const json&, const AdminPeer&) { return json(std::string(3'000'000, 'x')); });
    server_->on("huge", [](const json&, const AdminPeer&) {
      return json(std::string(admin::kMaxResponseBytes, 'x'));
    });
    server_->start();
    return *server_;
  }
  std::string ask(const std::string& line) {
    RawClient client(path_);
    EXPECT_TRUE(client.send(line + "\n"));
    return client.line();
  }
  TemporaryDirectory directory_;
  std::string path_;
  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminServerTest, AnswersByVerb) {
  start();
  EXPECT_EQ(ask(R"({"verb":"status"})"), R"({"ok":true,"result":{"name":"s"}})");
  EXPECT_EQ(ask(R"({"verb":"ping"})"), R"({"ok":true,"result":{"protocol_version":1}})");
  const json who = json::parse(ask(R"({"verb":"who"})"));
  EXPECT_EQ(who["result"]["pid"], ::getpid());
  EXPECT_EQ(who["result"]["uid"], ::getuid());
}

TEST_F(AdminServerTest, ErrorsNameTheField) {
  AdminServer& server = start();
  EXPECT_EQ(ask("{}"), R"({"error":{"field":"verb","message":"is missing"},"ok":false})");
  EXPECT_EQ(ask(R"({"verb":7})"),
            R"({"error":{"field":"verb","message":"must be a text"},"ok":false})");
  EXPECT_EQ(
      ask(R"({"verb":"stats"})"),
      R"({"error":{"field":"verb","message":"unknown verb; did you mean \"status\"?"},"ok":false})");
  EXPECT_NE(ask(R"({"verb":"zzzzzz"})").find("known are big, huge, ping"), std::string::npos);
  EXPECT_EQ(ask(R"({"verb":"set"})"),
            R"({"error":{"field":"key","message":"is missing"},"ok":false})");
  EXPECT_NE(ask("[1]").find("not a JSON object"), std::string::npos);
  EXPECT_NE(ask(R"({"verb":"huge"})").find("more than the"), std::string::npos);
  EXPECT_EQ(server.counters().errors, 7U);
}

TEST_F(AdminServerTest, GarbageIsAnsweredAndTheConnectionClosed) {
  start();
  for (const std::string& garbage :
       {std::string("hello"), std::string("\0\xff\x80", 3), std::string("{\"verb\":"),
        std::string(60'000, '['), std::string("")}) {
    RawClient client(path_);
    ASSERT_TRUE(client.send(garbage + "\n"));
    const json answer = client.answer();
    ASSERT_TRUE(answer.is_object()) << garbage.substr(0, 20);
    EXPECT_EQ(answer["ok"], false);
    EXPECT_EQ(answer["error"]["message"], "the request is not JSON");
    EXPECT_TRUE(client.closed());
  }
  EXPECT_NE(ask(R"({"verb":"ping"})"), "");
}

TEST_F(AdminServerTest, OversizedRequestsAreRefused) {
  start();
  {
    RawClient client(path_);
    client.send(std::string(admin::kMaxRequestBytes + 1, ' '));
    EXPECT_NE(client.line().find("longer than 65536 bytes"), std::string::npos);
    EXPECT_TRUE(client.closed());
  }
  {  // a complete line, only too long
    RawClient client(path_);
    client.send(R"({"verb":"ping"})" + std::string(admin::kMaxRequestBytes, ' ') + "\n");
    EXPECT_NE(client.line().find("longer than 65536 bytes"), std::string::npos);
  }
  {  // endless
    RawClient client(path_);
    const std::string chunk(64 * 1024, 'x');
    int sent = 0;
    while (sent < 10'000 && client.send(chunk)) ++sent;
    EXPECT_LT(sent, 10'000);
  }
  {  // the longest that is allowed
    const std::string request = R"({"verb":"ping"})";
    EXPECT_NE(ask(request + std::string(admin::kMaxRequestBytes - request.size() - 1, ' '))
                  .find("\"ok\":true"),
              std::string::npos);
  }
}

TEST_F(AdminServerTest, RequestsOfOneClientAreAnsweredInOrder) {
  start();
  RawClient client(path_);
  std::string burst;
  for (int i = 0; i < 500; ++i)
    burst += i % 2 == 0 ? "{\"verb\":\"ping\"}\n" : "{\"verb\":\"set\"}\n";
  // In pieces that break lines anywhere.
  for (std::size_t at = 0; at < burst.size(); at += 37)
    ASSERT_TRUE(client.send(burst.substr(at, 37)));
  for (int i = 0; i < 500; ++i) ASSERT_EQ(client.answer()["ok"], i % 2 == 0) << i;
}

TEST_F(AdminServerTest, LargeAnswersArriveWhole) {
  start();
  RawClient client(path_);
  ASSERT_TRUE(client.send("{\"verb\":\"big\"}\n{\"verb\":\"ping\"}\n"));
  EXPECT_EQ(client.answer()["result"].get_ref<const std::string&>().size(), 3'000'000U);
  EXPECT_EQ(client.answer()["ok"], true);
}

TEST_F(AdminServerTest, SlowClientsAreClosedAndHinderNobody) {
  AdminServer& server = start({.max_clients = 8, .client_timeout_ms = 300});
  RawClient silent(path_);
  RawClient half(path_);
  ASSERT_TRUE(half.send("{\"verb\":"));
  RawClient greedy(path_);  // asks, and never takes the answers
  ASSERT_TRUE(greedy.send("{\"verb\":\"big\"}\n{\"verb\":\"big\"}\n"));
  EXPECT_EQ(json::parse(ask(R"({"verb":"ping"})"))["ok"], true);
  EXPECT_TRUE(silent.closed());
  EXPECT_TRUE(half.closed());
  const std::uint64_t give_up_ns = monotonic_ns() + kPatienceMs * kNanosPerMilli;
  while (server.counters().timed_out < 3 && monotonic_ns() < give_up_ns) ask(R"({"verb":"ping"})");
  EXPECT_EQ(server.counters().timed_out, 3U);
}

// Who connects is whatever the test says.
class ServerOfStrangers : public AdminServer {
 public:
  using AdminServer::AdminServer;
  ~ServerOfStrangers() override { stop(); }
  std::atomic<bool> is_operator{false};
  std::atomic<bool> may_look{true};

 protected:
  AdminPeer peer_of(int, bool& may) const override {
    AdminPeer peer;
    peer.is_operator = is_operator;
    may = may_look || is_operator;
    return peer;
  }
};

TEST_F(AdminServerTest, ConnectionsAreBounded) {
  ServerOfStrangers server(path_, {.max_clients = 2, .operator_places = 0});
  server.start();
  RawClient first(path_);
  RawClient second(path_);
  ASSERT_TRUE(first.send("{\"verb\":\"ping\"}\n"));
  ASSERT_TRUE(second.send("{\"verb\":\"ping\"}\n"));
  EXPECT_EQ(first.answer()["ok"], true);
  EXPECT_EQ(second.answer()["ok"], true);
  RawClient third(path_);
  EXPECT_NE(third.line().find("too many connections"), std::string::npos);
  EXPECT_TRUE(third.closed());
  EXPECT_EQ(server.counters().refused, 1U);
  EXPECT_TRUE(first.send("{\"verb\":\"ping\"}\n"));
  EXPECT_EQ(first.answer()["ok"], true);
}

TEST_F(AdminServerTest, AnOperatorGetsInBeside32Readers) {
  ServerOfStrangers server(path_);
  server.start();
  std::vector<std::unique_ptr<RawClient>> readers;
  for (std::size_t i = 0; i < admin::kMaxClients; ++i)
    readers.push_back(std::make_unique<RawClient>(path_));
  // The last of them get no place.
  EXPECT_NE(readers.back()->line().find("too many connections"), std::string::npos);
  EXPECT_EQ(server.counters().refused, admin::kOperatorPlaces);
  server.is_operator = true;
  std::vector<std::unique_ptr<RawClient>> operators;
  for (std::size_t i = 0; i < admin::kMaxClients; ++i) {
    operators.push_back(std::make_unique<RawClient>(path_));
    ASSERT_TRUE(operators.back()->send("{\"verb\":\"ping\"}\n"));
    ASSERT_EQ(operators.back()->answer()["ok"], true) << i;
  }
  // First the reserved places are used, then those of readers, the longest idle first. When only
  // operators are left, the one that has been idle the longest is disconnected.
  EXPECT_EQ(server.counters().made_room, admin::kMaxClients - admin::kOperatorPlaces);
  EXPECT_TRUE(readers.front()->closed());
  RawClient one_more(path_);
  ASSERT_TRUE(one_more.send("{\"verb\":\"ping\"}\n"));
  EXPECT_EQ(one_more.answer()["ok"], true);
  EXPECT_TRUE(operators.front()->closed());
}

TEST_F(AdminServerTest, WhoMayNotLookIsToldSo) {
  ServerOfStrangers server(path_);
  server.may_look = false;
  server.start();
  RawClient stranger(path_);
  EXPECT_NE(stranger.line().find("not a member of"), std::string::npos);
  EXPECT_TRUE(stranger.closed());
  EXPECT_EQ(server.counters().strangers, 1U);
}

TEST_F(AdminServerTest, ALongAnswerHoldsUpNobody) {
  std::mutex mutex;
  std::condition_variable changed;
  bool go_on = false;
  server_ = std::make_unique<AdminServer>(path_);
  server_->on(
      "verdict",
      [&](const json&, const AdminPeer&) -> AdminReply {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return go_on; });
        return json("long");
      },
      AdminRole::reader, AdminPace::takes_long);
  server_->start();
  RawClient slow(path_);
  RawClient behind(path_);
  ASSERT_TRUE(slow.send("{\"verb\":\"verdict\"}\n{\"verb\":\"ping\"}\n"));
  ASSERT_TRUE(behind.send("{\"verb\":\"verdict\"}\n"));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(json::parse(ask(R"({"verb":"ping"})"))["ok"], true);
  {  // a client that disconnects before its answer harms nobody
    RawClient gone(path_);
    ASSERT_TRUE(gone.send("{\"verb\":\"verdict\"}\n"));
    EXPECT_EQ(json::parse(ask(R"({"verb":"ping"})"))["ok"], true);
  }
  {
    const std::lock_guard lock(mutex);
    go_on = true;
  }
  changed.notify_all();
  EXPECT_EQ(slow.answer()["result"], "long");
  EXPECT_EQ(slow.answer()["result"]["protocol_version"], 1);
  EXPECT_EQ(behind.answer()["result"], "long");
}

TEST_F(AdminServerTest, TheSocketBelongsToTheOperatorsGroup) {
  std::array<gid_t, 64> groups{};
  const int count = ::getgroups(groups.size(), groups.data());
  const auto other = std::find_if(groups.begin(), groups.begin() + std::max(count, 0),
                                  [](gid_t group) { return group != ::getegid(); });
  const gid_t group = ::geteuid() == 0                               ? 7
                      : count > 0 && other != groups.begin() + count ? *other
                                                                     : 0;
  if (group == 0) GTEST_SKIP() << "needs root, or a user of several groups";
  AdminServer server(path_);
  server.set_operator_group(group);
  server.start();
  struct stat facts {};
  ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_gid, group);
  EXPECT_EQ(facts.st_mode & 0777, admin::kSocketMode);
  server.stop();
  AdminServer open(path_);
  open.set_view_group(group);
  open.start();
  ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, admin::kSocketModeForViewers);
}

TEST_F(AdminServerTest, AStaleSocketFileIsReplacedAndALiveOneIsNot) {
  {  // a file that a killed daemon leaves
    FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  start();
  EXPECT_NE(ask(R"({"verb":"ping"})"), "");
  struct stat facts {};
  ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, admin::kSocketMode);
  AdminServer other(path_);
  EXPECT_THROW(other.start(), StartupError);
  EXPECT_NE(ask(R"({"verb":"ping"})"), "");  // the first still serves
  server_->stop();
  EXPECT_NE(::stat(path_.c_str(), &facts), 0);
  other.start();
  EXPECT_NE(ask(R"({"verb":"ping"})"), "");
}

TEST_F(AdminServerTest, OtherFilesAndBadPathsAreRefused) {
  std::ofstream(path_) << "precious";
  AdminServer server(path_);
  EXPECT_THROW(server.start(), StartupError);
  std::ifstream file(path_);
  std::string text;
  EXPECT_TRUE(file >> text && text == "precious");
  EXPECT_THROW(AdminServer(directory_.file(std::string(200, 'x'))).start(), StartupError);
  EXPECT_THROW(AdminServer(directory_.file("no/such/folder/s")).start(), StartupError);
}

TEST_F(AdminServerTest, StopsWhileClientsAreConnected) {
  start();
  RawClient client(path_);
  ASSERT_TRUE(client.send("{\"verb\":"));
  server_->stop();
  EXPECT_TRUE(client.closed());
  server_->stop();
}

TEST_F(AdminServerTest, TheClientTellsResultErrorAndUnreachableApart) {
  start();
  const AdminOutcome good = admin_request(path_, {{"verb", "status"}}, kPatienceMs);
  ASSERT_TRUE(std::holds_alternative<json>(good));
  EXPECT_EQ(std::get<json>(good)["name"], "s");
  const AdminOutcome bad = admin_request(path_, {{"verb", "set"}}, kPatienceMs);
  ASSERT_TRUE(std::holds_alternative<AdminError>(bad));
  EXPECT_EQ(std::get<AdminError>(bad).field, "key");
  server_->stop();
  const AdminOutcome gone = admin_request(path_, {{"verb", "status"}}, kPatienceMs);
  ASSERT_TRUE(std::holds_alternative<AdminUnreachable>(gone));
  EXPECT_NE(std::get<AdminUnreachable>(gone).message.find("cannot connect"), std::string::npos);
}

TEST_F(AdminServerTest, TheClientGivesUpOnAServerThatDoesNotAnswer) {
  FileDescriptor listener(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  const AdminOutcome outcome = admin_request(path_, {{"verb", "status"}}, 50);
  ASSERT_TRUE(std::holds_alternative<AdminUnreachable>(outcome));
  EXPECT_NE(std::get<AdminUnreachable>(outcome).message.find("no answer"), std::string::npos);
}

TEST(AdminRequests, OperatorsVerbsAreRefusedToReadersAndAudited) {
  AdminRequests requests;
  int done = 0;
  std::vector<std::string> audited;
  requests.on("look", [](const json&, const AdminPeer&) -> AdminReply { return json(1); });
  requests.on(
      "change",
      [&done](const json& request, const AdminPeer&) -> AdminReply {
        if (!request.contains("key")) return AdminError{"key", "is missing"};
        ++done;
        return json(2);
      },
      AdminRole::op);
  requests.on_audit([&audited](const AuditEntry& entry) {
    audited.push_back(std::string(entry.verb) + " by " + std::to_string(entry.peer.uid) +
                      (entry.stage == AuditStage::asked ? " asked" : ": ") +
                      std::string(entry.error));
    return std::string();
  });
  AdminPeer reader;
  reader.uid = 7;
  reader.is_operator = false;
  AdminPeer somebody;
  somebody.uid = 8;
  EXPECT_FALSE(requests.answer(R"({"verb":"look"})", reader).error);
  EXPECT_TRUE(audited.empty());
  const AdminAnswer refused = requests.answer(R"({"verb":"change","key":"k"})", reader);
  EXPECT_TRUE(refused.error);
  EXPECT_NE(refused.line.find("for operators"), std::string::npos) << refused.line;
  EXPECT_EQ(done, 0);
  EXPECT_FALSE(requests.answer(R"({"verb":"change","key":"k"})", somebody).error);
  EXPECT_EQ(done, 1);
  EXPECT_TRUE(requests.answer(R"({"verb":"change"})", somebody).error);
  ASSERT_EQ(audited.size(), 5U);
  EXPECT_NE(audited[0].find("change by 7: \"change\" is for operators"), std::string::npos);
  EXPECT_EQ(audited[1], "change by 8 asked");
  EXPECT_EQ(audited[2], "change by 8: ");
  EXPECT_EQ(audited[3], "change by 8 asked");
  EXPECT_EQ(audited[4], "change by 8: is missing");
}

// A disk that takes no line must prevent nobody from fencing, and must not let a risky verb go
// unrecorded.
TEST(AdminRequests, WithoutAnAuditRiskyVerbsAreRefused) {
  AdminRequests requests;
  std::vector<std::string> done;
  for (const auto& [verb, role] :
       {std::pair{"fence", AdminRole::op}, std::pair{"promote", AdminRole::op_on_record}}) {
    requests.on(
        verb,
        [&done, name = std::string(verb)](const json&, const AdminPeer&) -> AdminReply {
          done.push_back(name);
          return json(1);
        },
        role);
  }
  AuditLog audit("/dev/full");
  std::vector<std::string> problems;
  requests.on_audit([&](const AuditEntry& entry) {
    problems.push_back(audit.write(entry));
    return problems.back();
  });
  EXPECT_FALSE(requests.answer(R"({"verb":"fence"})", {}).error);
  const AdminAnswer refused = requests.answer(R"({"verb":"promote"})", {});
  EXPECT_TRUE(refused.error);
  EXPECT_NE(refused.line.find("No space left"), std::string::npos) << refused.line;
  EXPECT_NE(refused.line.find("--without-audit"), std::string::npos) << refused.line;
  EXPECT_TRUE(requests.answer(R"({"verb":"promote","without_audit":1})", {}).error);
  EXPECT_EQ(done, std::vector<std::string>{"fence"});
  EXPECT_FALSE(requests.answer(R"({"verb":"promote","without_audit":true})", {}).error);
  EXPECT_EQ(done.back(), "promote");
  for (const std::string& problem : problems) EXPECT_NE(problem, "");
}

TEST(AuditLog, TellsWhatWasAskedAndWhatCameOfIt) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("audit.jsonl");
  AuditLog audit(path);
  const json request = {{"verb", "promote"}, {"replica", "b"}};
  EXPECT_EQ(audit.write({{}, "promote", request, AuditStage::asked, {}}), "");
  EXPECT_EQ(audit.write({{}, "promote", request, AuditStage::answered, "no quorum"}), "");
  EXPECT_EQ(audit.write({{}, "promote", request, AuditStage::answered, {}}), "");
  std::ifstream file(path);
  std::vector<std::string> results;
  for (std::string line; std::getline(file, line);)
    results.push_back(json::parse(line).at("result").get<std::string>());
  EXPECT_EQ(results, (std::vector<std::string>{"asked", "refused", "done"}));
}

}  // namespace
}  // namespace binlane
