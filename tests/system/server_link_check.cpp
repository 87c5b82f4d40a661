// The link to the source's server, against a real MariaDB: registration, early ACKs, switching
// semi-sync off and on, the server's own timeout, big events, rotation, and what each failure looks
// like. Every wait is for a condition, with a bound.

#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include "base/counter_growth.h"
#include "private_mariadb.h"
#include "shim/binlog/binlog_index_tail.h"
#include "shim/binlog/synced_confirmer.h"
#include "shim/server/ack_sender.h"
#include "shim/server/dump_drain.h"
#include "shim/server/semi_sync_control.h"
#include "shim/server/server_facts.h"
#include "shim/server/server_run_files.h"

namespace binlane {
namespace {

using test::PrivateMariadb;

constexpr std::uint32_t kAckerId = 900;
constexpr std::uint32_t kIncarnation = 3;
constexpr auto kBound = std::chrono::seconds(30);

template <class Condition>
bool wait_until(Condition condition) {
  const auto bound = std::chrono::steady_clock::now() + kBound;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > bound) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// Stands for the source lane: sends ACKs for the position that `quorum` says.
class FakeLane {
 public:
  FakeLane(DumpDrain& drain, std::function<Position()> quorum)
      : drain_(drain), quorum_(std::move(quorum)), thread_([this] { run(); }) {}
  ~FakeLane() {
    ending_ = true;
    thread_.join();
  }
  FakeLane(const FakeLane&) = delete;
  FakeLane& operator=(const FakeLane&) = delete;

  void resume() { resume_ = true; }
  void set_incarnation(std::uint32_t incarnation) { incarnation_ = incarnation; }
  // As if the server never asked for an exact position.
  void ignore_wanted() { ignore_wanted_ = true; }
  Position newest_wanted() const { return wanted_.load(); }

 private:
  void run() {
    AckSender sender(drain_.ack_socket(), "binlog");
    while (!ending_) {
      DrainEvent event;
      while (drain_.try_pop(event)) {
        wanted_.store(event.end);
        if (!ignore_wanted_) sender.on_wanted(event);
      }
      if (resume_.exchange(false)) sender.resume();
      if (!sender.poll(quorum_(), incarnation_)) std::this_thread::yield();
    }
    sender.detach();
  }

  DumpDrain& drain_;
  const std::function<Position()> quorum_;
  std::atomic<bool> ending_{false};
  std::atomic<bool> resume_{false};
  std::atomic<std::uint32_t> incarnation_{kIncarnation};
  std::atomic<bool> ignore_wanted_{false};
  SharedPosition wanted_;
  std::thread thread_;
};

Position nothing() {
  return {};
}

class ServerLink : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<PrivateMariadb>(
        std::vector<std::string>{"--max-allowed-packet=256M", "--max-connections=50"});
    server_->start();
    ServerConnection root(account("root", ""));
    ASSERT_TRUE(root.connect().ok());
    for (const char* sql : {"CREATE DATABASE t",
                            "CREATE TABLE t.rows (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
                            "payload LONGBLOB) ENGINE=InnoDB",
                            "CREATE USER acker IDENTIFIED BY 'secret'",
                            "GRANT REPLICATION SLAVE, REPLICATION MASTER ADMIN ON *.* TO acker",
                            "CREATE USER poor IDENTIFIED BY 'secret'"})
      ASSERT_TRUE(root.query(sql).ok()) << sql;
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    ASSERT_TRUE(root_.connect().ok());
    ASSERT_TRUE(sql_.connect().ok());
    const ServerFactsResult facts = read_server_facts(sql_);
    ASSERT_TRUE(facts.ok()) << to_string(facts.error);
    facts_ = facts.facts;
    control_ = std::make_unique<SemiSyncControl>(sql_, facts_.semi_sync_words, facts_.flavour);
    ASSERT_TRUE(control_->set_enabled(false).ok());
    ASSERT_TRUE(control_->prepare(WaitPoint::after_sync, 60'000, 10'000).ok());
  }
  void TearDown() override {
    if (control_) control_->set_enabled(false);
  }

  static ServerAccount account(const std::string& user, const std::string& password) {
    return {server_->socket(), user, Secret(password)};
  }

  static Position first_position() {
    const std::string data = server_->folder() + "/data/binlog";
    return {find_server_run_files(data + ".index", data).first, 4};
  }
  // The end of the newest binlog file, as the tailer would see it.
  static Position binlog_end() {
    const std::string data = server_->folder() + "/data/binlog";
    const std::uint32_t file = read_binlog_index_tail(data + ".index").newest_file;
    struct stat status {};
    if (file == 0 || stat(binlog_file_name(data, file).c_str(), &status) != 0) return {};
    return {file, static_cast<std::uint64_t>(status.st_size)};
  }

  static std::unique_ptr<DumpDrain> make_drain(
      const std::function<std::optional<Position>(const ServerRun&)>& start = {}) {
    DumpDrainOptions options;
    options.account = account("acker", "secret");
    options.stream.server_id = kAckerId;
    options.stream.heartbeat_period_ms = 200;
    options.backoff_min_ms = 10;
    options.backoff_max_ms = 200;
    return std::make_unique<DumpDrain>(
        options, [start](const ServerRun& run) -> std::optional<Registration> {
          const std::optional<Position> position = start ? start(run) : first_position();
          if (!position) return std::nullopt;
          return Registration{*position, kIncarnation};
        });
  }
  static bool drained_to(const DumpDrain& drain, const Position& position) {
    return wait_until([&] { return drain.dump_position() >= position; });
  }

  // A commit on a connection of its own, so that it may wait.
  static std::future<SqlError> commit_later(const std::string& payload = "'x'") {
    return std::async(std::launch::async, [payload] {
      ServerConnection client(account("root", ""), {2, 100, 100});
      const SqlError error = client.connect();
      if (!error.ok()) return error;
      return client.query("INSERT INTO t.rows (payload) VALUES (" + payload + ")").error;
    });
  }
  static bool is_done(std::future<SqlError>& commit) {
    return commit.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  SemiSyncStatus status() {
    const SemiSyncPoll poll = control_->poll();
    EXPECT_TRUE(poll.ok()) << to_string(poll.error);
    return poll.status;
  }
  bool waits(std::uint64_t sessions) {
    return wait_until([&] { return status().wait_sessions == sessions; });
  }

  static std::unique_ptr<PrivateMariadb> server_;
  ServerConnection root_{account("root", "")};
  ServerConnection sql_{account("acker", "secret")};
  ServerFacts facts_;
  std::unique_ptr<SemiSyncControl> control_;
};

std::unique_ptr<PrivateMariadb> ServerLink::server_;

TEST_F(ServerLink, FactsAndCheck) {
  EXPECT_EQ(facts_.flavour, ServerFlavour::mariadb);
  EXPECT_GE(facts_.version_number, 101'100U);
  EXPECT_EQ(facts_.server_id, 1U);
  EXPECT_TRUE(facts_.log_bin);
  EXPECT_EQ(binlog_base_name(facts_), "binlog");
  EXPECT_EQ(facts_.sync_binlog, 1U);
  EXPECT_EQ(facts_.newest_file, binlog_end().file);
  EXPECT_NE(facts_.run.process.pid, 0);
  EXPECT_TRUE(facts_.run.is_same_as(read_server_run(root_)));
  const SourceCheck check = check_source(facts_, kAckerId);
  for (const Finding& finding : check.refusals) ADD_FAILURE() << to_string(finding);
  EXPECT_FALSE(check_source(facts_, 1).accepted());
}

TEST_F(ServerLink, WithoutAProcessIdTheStartTimeDecides) {
  ServerRun run = facts_.run;
  run.process = {};
  EXPECT_TRUE(run.is_same_as(read_server_run(root_)));
}

TEST_F(ServerLink, TheProposedGrantIsEnough) {
  ServerConnection poor(account("poor", "secret"));
  ASSERT_TRUE(poor.connect().ok());
  const ServerFactsResult before = read_server_facts(poor);
  ASSERT_TRUE(before.ok()) << to_string(before.error);
  const SourceCheck check = check_source(before.facts, kAckerId);
  ASSERT_EQ(check.refusals.size(), 1U);
  EXPECT_EQ(check.refusals[0].key, "privileges");
  ASSERT_TRUE(root_.query(check.refusals[0].remedy).ok()) << check.refusals[0].remedy;
  ASSERT_TRUE(poor.connect().ok());
  EXPECT_TRUE(check_source(read_server_facts(poor).facts, kAckerId).accepted());
}

// Somebody's global settings are for applications, and must not cut our answers short.
TEST_F(ServerLink, GlobalSettingsForSessionsAreNotOurs) {
  const std::pair<const char*, const char*> settings[] = {
      {"sql_select_limit", "1"},
      {"max_statement_time", "0.0001"},
      {"sql_mode", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"},
      {"max_join_size", "1"},
      {"autocommit", "0"}};
  // One connection for all of it, because the others' would have the settings too.
  for (const auto& [variable, value] : settings)
    ASSERT_TRUE(root_.set_global(variable, value).ok()) << variable;
  ServerConnection ours(account("acker", "secret"));
  EXPECT_TRUE(ours.connect().ok());
  SemiSyncControl control(ours, facts_.semi_sync_words, facts_.flavour);
  const SemiSyncPoll poll = control.poll();
  EXPECT_TRUE(poll.ok()) << to_string(poll.error);
  const ServerFactsResult facts = read_server_facts(ours);
  EXPECT_TRUE(facts.ok()) << to_string(facts.error);
  EXPECT_TRUE(facts.facts.log_bin);
  const QueryResult modes =
      ours.query("SELECT @@sql_mode, @@autocommit, @@sql_big_selects, " + quote_sql("a'b\\c"));
  EXPECT_TRUE(modes.ok()) << to_string(modes.error);
  if (modes.ok()) {
    EXPECT_EQ(modes.rows[0], (SqlRow{"", "1", "1", "a'b\\c"}));
  }
  for (const auto& [variable, value] : settings)
    ASSERT_TRUE(root_.set_global(variable, "DEFAULT").ok()) << variable;
}

TEST_F(ServerLink, APrivilegeThatIsGrantedReachesTheNextConnection) {
  ASSERT_TRUE(root_.query("CREATE USER revoked IDENTIFIED BY 'secret'").ok());
  ServerConnection ours(account("revoked", "secret"));
  ASSERT_TRUE(ours.connect().ok());
  const ServerFactsResult poor = read_account_facts(ours);
  ASSERT_TRUE(poor.ok()) << to_string(poor.error);
  const auto missing = find_missing_privileges(poor.facts);
  ASSERT_TRUE(missing);
  SemiSyncControl control(ours, facts_.semi_sync_words, facts_.flavour);
  EXPECT_EQ(control.set_enabled(false).code, 1227U);
  EXPECT_FALSE(ours.is_connected());
  ASSERT_TRUE(root_.query(missing->remedy).ok()) << missing->remedy;
  ASSERT_TRUE(ours.connect().ok());
  EXPECT_TRUE(control.set_enabled(false).ok());
  EXPECT_FALSE(find_missing_privileges(read_account_facts(ours).facts));
  ASSERT_TRUE(root_.query("DROP USER revoked").ok());
}

// On a standby the account and its GRANT are a part of the stream, and a login may come between the
// two.
TEST_F(ServerLink, AStatementThatNeededAGrantIsAcceptedAtTheNextConnection) {
  ASSERT_TRUE(root_.query("CREATE USER early IDENTIFIED BY 'secret'").ok());
  ServerConnection ours(account("early", "secret"));
  ASSERT_TRUE(ours.connect().ok());
  ASSERT_TRUE(root_.query("GRANT REPLICATION SLAVE ADMIN ON *.* TO early").ok());
  EXPECT_FALSE(ours.query("STOP SLAVE").ok());
  EXPECT_TRUE(ours.is_connected());
  EXPECT_FALSE(ours.query_or_close("STOP SLAVE").ok());
  ASSERT_FALSE(ours.is_connected());
  ASSERT_TRUE(ours.connect().ok());
  const QueryResult stopped = ours.query_or_close("STOP SLAVE");
  EXPECT_TRUE(stopped.ok()) << to_string(stopped.error);
  EXPECT_TRUE(ours.is_connected());
  ASSERT_TRUE(root_.query("DROP USER early").ok());
}

TEST_F(ServerLink, SettingsArriveAndAreRead) {
  ASSERT_TRUE(control_->prepare(WaitPoint::after_commit, 12'345, 10'000).ok());
  SemiSyncStatus read = status();
  EXPECT_EQ(read.wait_point, WaitPoint::after_commit);
  EXPECT_EQ(read.timeout_ms, 12'345U);
  EXPECT_TRUE(read.wait_no_replica);
  EXPECT_FALSE(read.enabled);
  EXPECT_FALSE(read.status_on);
  EXPECT_EQ(read.sync_binlog, 1U);
  EXPECT_EQ(read.innodb_flush_log_at_trx_commit, 1U);
  ASSERT_TRUE(control_->set_wait_point(WaitPoint::after_sync).ok());
  ASSERT_TRUE(control_->set_enabled(true).ok());
  ASSERT_TRUE(root_.query("SET GLOBAL sync_binlog=7").ok());
  read = status();
  EXPECT_EQ(read.wait_point, WaitPoint::after_sync);
  EXPECT_TRUE(read.enabled);
  EXPECT_EQ(read.sync_binlog, 7U);
  ASSERT_TRUE(root_.query("SET GLOBAL sync_binlog=1").ok());
}

TEST_F(ServerLink, EarlyAcksAreAccepted) {
  constexpr int kCommits = 200;
  for (const WaitPoint point : {WaitPoint::after_sync, WaitPoint::after_commit}) {
    ASSERT_TRUE(control_->set_wait_point(point).ok());
    const auto drain = make_drain();
    FakeLane lane(*drain, binlog_end);
    drain->start();
    ASSERT_TRUE(wait_until([&] { return drain->status().state == DrainState::draining; }));
    ASSERT_TRUE(control_->set_enabled(true).ok());
    lane.resume();
    const SemiSyncStatus before = status();
    EXPECT_EQ(before.clients, 1U);
    for (int commit = 0; commit < kCommits; ++commit)
      ASSERT_TRUE(root_.query("INSERT INTO t.rows (payload) VALUES ('early')").ok());
    const SemiSyncStatus after = status();
    EXPECT_EQ(after.yes_tx - before.yes_tx, static_cast<std::uint64_t>(kCommits));
    EXPECT_EQ(after.no_tx, before.no_tx);
    EXPECT_EQ(after.no_times, before.no_times);
    EXPECT_GT(after.get_ack, before.get_ack);
    EXPECT_TRUE(drained_to(*drain, binlog_end()));
    ASSERT_TRUE(control_->set_enabled(false).ok());
  }
}

TEST_F(ServerLink, AFlaggedEventNamesTheExactPosition) {
  const auto drain = make_drain();
  std::atomic<bool> allowed{false};
  FakeLane lane(*drain, [&] { return allowed ? binlog_end() : Position{}; });
  drain->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().state == DrainState::draining; }));
  ASSERT_TRUE(control_->set_enabled(true).ok());
  auto commit = commit_later();
  ASSERT_TRUE(waits(1));
  const Position end = binlog_end();
  EXPECT_TRUE(wait_until([&] { return lane.newest_wanted() == end; }));
  EXPECT_TRUE(drained_to(*drain, end));
  EXPECT_FALSE(is_done(commit));
  allowed = true;
  EXPECT_TRUE(commit.get().ok());
  EXPECT_GE(drain->status().acks_wanted, 1U);
}

TEST_F(ServerLink, OffWakesWaitersAndOnKeepsTheConnection) {
  const auto drain = make_drain();
  std::atomic<bool> allowed{false};
  FakeLane lane(*drain, [&] { return allowed ? binlog_end() : Position{}; });
  drain->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().state == DrainState::draining; }));
  ASSERT_TRUE(control_->set_enabled(true).ok());
  auto first = commit_later();
  auto second = commit_later();
  // AFTER_SYNC: one leader waits for its group; the other may still be before it.
  ASSERT_TRUE(wait_until([&] { return status().wait_sessions >= 1; }));
  ASSERT_FALSE(is_done(first));
  ASSERT_FALSE(is_done(second));
  ASSERT_TRUE(control_->set_enabled(false).ok());
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
  EXPECT_FALSE(status().enabled);
  EXPECT_FALSE(status().status_on);
  EXPECT_EQ(status().clients, 1U);

  ASSERT_TRUE(control_->set_enabled(true).ok());
  EXPECT_TRUE(status().status_on);
  auto third = commit_later();
  ASSERT_TRUE(waits(1));
  allowed = true;
  EXPECT_TRUE(third.get().ok());
  EXPECT_EQ(drain->status().connections, 1U);
  EXPECT_EQ(drain->status().generation, 1U);
}

TEST_F(ServerLink, OnForgetsEarlierAcks) {
  const auto drain = make_drain();
  // The quorum stands still at a position beyond everything, acknowledged once before the switch.
  SharedPosition quorum;
  FakeLane lane(*drain, [&] { return quorum.load(); });
  lane.ignore_wanted();
  drain->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().state == DrainState::draining; }));
  ASSERT_TRUE(control_->set_enabled(true).ok());
  const std::uint64_t acks = status().get_ack;
  Position far = binlog_end();
  far.offset += 1'000'000;
  quorum.store(far);
  ASSERT_TRUE(wait_until([&] { return status().get_ack > acks; }));
  auto covered = commit_later();
  EXPECT_TRUE(covered.get().ok());
  ASSERT_TRUE(control_->set_enabled(false).ok());
  ASSERT_TRUE(control_->set_enabled(true).ok());
  auto commit = commit_later();
  ASSERT_TRUE(waits(1));  // the ACK that covers it is forgotten
  EXPECT_FALSE(is_done(commit));
  lane.resume();
  EXPECT_TRUE(commit.get().ok());
}

TEST_F(ServerLink, TheServersTimeoutIsTheBackstop) {
  ASSERT_TRUE(control_->set_server_timeout(1500, 500).ok());
  const auto drain = make_drain();
  std::atomic<bool> allowed{false};
  FakeLane lane(*drain, [&] { return allowed ? binlog_end() : Position{}; });
  drain->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().state == DrainState::draining; }));
  ASSERT_TRUE(control_->set_enabled(true).ok());
  const SemiSyncStatus before = status();
  EXPECT_TRUE(commit_later().get().ok());
  SemiSyncStatus after = status();
  EXPECT_EQ(counter_growth(before.no_times, after.no_times), 1U);
  EXPECT_EQ(counter_growth(before.no_tx, after.no_tx), 1U);
  EXPECT_TRUE(after.enabled);
  EXPECT_FALSE(after.status_on);
  // The next true ACK switches it on again.
  allowed = true;
  EXPECT_TRUE(wait_until([&] { return status().status_on; }));
}

TEST_F(ServerLink, WithoutAnyReplicaTheBackstopHoldsToo) {
  ASSERT_TRUE(wait_until([&] { return status().clients == 0; }));
  ASSERT_TRUE(control_->set_server_timeout(1500, 500).ok());
  ASSERT_TRUE(control_->set_enabled(true).ok());
  auto commit = commit_later();
  ASSERT_TRUE(waits(1));
  EXPECT_TRUE(commit.get().ok());
  EXPECT_FALSE(status().status_on);
}

TEST_F(ServerLink, RegistrationIsAnAck) {
  ASSERT_TRUE(control_->set_enabled(true).ok());
  const auto drain = make_drain();
  FakeLane lane(*drain, nothing);
  drain->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().state == DrainState::draining; }));
  auto commit = commit_later();
  ASSERT_TRUE(waits(1));
  const Position waiting = binlog_end();
  // Again at the start of this run's first file: the waiting commit goes on waiting.
  drain->reconnect();
  ASSERT_TRUE(wait_until([&] { return drain->status().connections == 2; }));
  ASSERT_TRUE(drained_to(*drain, waiting));
  EXPECT_EQ(status().wait_sessions, 1U);
  EXPECT_FALSE(is_done(commit));
  // At the file's end: the server takes it for an ACK. This is the hole that rule S3 closes.
  DumpStream careless(account("acker", "secret"), {.server_id = kAckerId + 1});
  ASSERT_TRUE(careless.connect().ok());
  ASSERT_TRUE(careless.begin(waiting).ok());
  EXPECT_TRUE(commit.get().ok());
}

TEST_F(ServerLink, BigEventsPassInPieces) {
  const auto drain = make_drain();
  FakeLane lane(*drain, binlog_end);
  drain->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().state == DrainState::draining; }));
  ASSERT_TRUE(control_->set_enabled(true).ok());
  const SemiSyncStatus before = status();
  // Around multiples of a packet's 16 MiB − 1, and well above. What surrounds the payload in the
  // event is below 200 bytes, so some of these end just before, at and behind a packet's end.
  constexpr std::uint64_t kPacket = 0xff'ffff;
  std::uint64_t commits = 0;
  for (const std::uint64_t size : {kPacket - 200, kPacket, std::uint64_t{20} << 20, 3 * kPacket}) {
    ASSERT_TRUE(commit_later("REPEAT('x'," + std::to_string(size) + ")").get().ok());
    ASSERT_TRUE(root_.query("SET SESSION binlog_format=ROW").ok());
    const QueryResult row =
        root_.query("INSERT INTO t.rows (payload) SELECT REPEAT('r'," + std::to_string(size) + ")");
    ASSERT_TRUE(row.ok()) << to_string(row.error);
    commits += 2;
  }
  EXPECT_EQ(status().yes_tx - before.yes_tx, commits);
  EXPECT_TRUE(drained_to(*drain, binlog_end()));
  EXPECT_EQ(drain->status().connections, 1U) << drain->status().reason;
  EXPECT_GT(drain->status().bytes, 5 * kPacket);
}

// Row events that end just before, at and just behind the end of a full packet: the last packet of
// an event then has 0, 1 or 2 bytes of its own.
TEST_F(ServerLink, EventsThatEndAtAPacketsEnd) {
  constexpr std::uint64_t kFull = 0xff'ffff;
  constexpr std::uint64_t kPrefix = 3;
  // What stands around the payload in a row event of this table, checksum included.
  constexpr std::uint64_t kAround = 46;
  ASSERT_TRUE(root_.query("SET SESSION binlog_format=ROW").ok());
  DumpStream stream(account("acker", "secret"), {.server_id = kAckerId});
  ASSERT_TRUE(stream.connect().ok());
  ASSERT_TRUE(stream.begin(binlog_end()).ok());
  for (std::uint64_t packet = kFull - 2; packet <= kFull + 2; ++packet) {
    const std::uint64_t event_size = packet - kPrefix;
    ASSERT_TRUE(root_
                    .query("INSERT INTO t.rows (payload) SELECT REPEAT('r'," +
                           std::to_string(event_size - kAround) + ")")
                    .ok());
    const Position end = binlog_end();
    std::uint64_t largest = 0;
    while (stream.position() < end) {
      DumpEvent event;
      const DumpError error = stream.next(event);
      ASSERT_TRUE(error.ok()) << error.text << " at " << packet;
      largest = std::max(largest, event.wire_bytes);
    }
    EXPECT_EQ(largest, event_size);
    EXPECT_EQ(stream.position(), end);
  }
  ASSERT_TRUE(root_.query("TRUNCATE t.rows").ok());
}

TEST_F(ServerLink, RotationsUnderLoad) {
  const auto drain = make_drain();
  FakeLane lane(*drain, binlog_end);
  drain->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().state == DrainState::draining; }));
  ASSERT_TRUE(control_->set_enabled(true).ok());
  const std::uint32_t before = binlog_end().file;
  const SemiSyncStatus earlier = status();
  for (int rotation = 0; rotation < 20; ++rotation) {
    ASSERT_TRUE(root_.query("FLUSH BINARY LOGS").ok());
    ASSERT_TRUE(root_.query("INSERT INTO t.rows (payload) VALUES ('r')").ok());
  }
  EXPECT_EQ(status().yes_tx - earlier.yes_tx, 20U);
  EXPECT_EQ(status().no_tx, earlier.no_tx);
  EXPECT_EQ(binlog_end().file, before + 20);
  // The server writes a checkpoint behind a rotation when it likes: the end may still move.
  EXPECT_TRUE(wait_until([&] { return drain->dump_position() == binlog_end(); }));
  EXPECT_EQ(drain->status().connections, 1U) << drain->status().reason;
}

TEST_F(ServerLink, ChecksumsMayChangeUnderTheStream) {
  const auto drain = make_drain();
  FakeLane lane(*drain, nothing);
  drain->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().state == DrainState::draining; }));
  for (const char* kind : {"NONE", "CRC32", "NONE"}) {
    ASSERT_TRUE(root_.query(std::string("SET GLOBAL binlog_checksum=") + kind).ok());
    ASSERT_TRUE(root_.query("FLUSH BINARY LOGS").ok());
    ASSERT_TRUE(root_.query("INSERT INTO t.rows (payload) VALUES ('c')").ok());
    ASSERT_TRUE(drained_to(*drain, binlog_end())) << drain->status().reason;
  }
  EXPECT_EQ(drain->status().connections, 1U) << drain->status().reason;
  // A new connection over files of both kinds.
  drain->reconnect();
  ASSERT_TRUE(wait_until([&] { return drain->status().connections == 2; }));
  EXPECT_TRUE(drained_to(*drain, binlog_end())) << drain->status().reason;
  ASSERT_TRUE(root_.query("SET GLOBAL binlog_checksum=CRC32").ok());
}

TEST_F(ServerLink, HeartbeatsKeepAnIdleConnection) {
  const auto drain = make_drain();
  FakeLane lane(*drain, nothing);
  drain->start();
  EXPECT_TRUE(wait_until([&] { return drain->status().heartbeats >= 5; }));
  EXPECT_EQ(drain->status().connections, 1U);
}

TEST_F(ServerLink, ARefusedStartRetreatsToTheFilesBeginning) {
  ASSERT_TRUE(root_.query("INSERT INTO t.rows (payload) VALUES ('s')").ok());
  for (const std::int64_t offset : {1'000'000'000L, -7L}) {
    const auto drain = make_drain([offset](const ServerRun&) {
      Position start = binlog_end();
      start.offset = static_cast<std::uint64_t>(static_cast<std::int64_t>(start.offset) + offset);
      return start;
    });
    FakeLane lane(*drain, nothing);
    drain->start();
    ASSERT_TRUE(drained_to(*drain, binlog_end())) << drain->status().reason;
    EXPECT_GE(drain->status().start_retreats, 1U) << offset;
    EXPECT_EQ(drain->status().start.offset, 4U);
  }
}

TEST_F(ServerLink, AMissingFileIsNamed) {
  const auto drain = make_drain([](const ServerRun&) { return Position{777'777, 4}; });
  FakeLane lane(*drain, nothing);
  drain->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().attempts >= 3; }));
  EXPECT_EQ(drain->status().error_code, kErrorFatalReadingBinlog);
  EXPECT_FALSE(drain->status().reason.empty());
  EXPECT_EQ(drain->status().connections, 0U);
}

TEST_F(ServerLink, ANamesakeIsReported) {
  const auto drain = make_drain();
  FakeLane lane(*drain, nothing);
  drain->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().state == DrainState::draining; }));
  // A binlaned's own connection is no namesake: else each start would warn of the one before.
  const ServerFacts facts = read_server_facts(sql_).facts;
  EXPECT_TRUE(facts.acker_registered);
  EXPECT_TRUE(check_source(facts, kAckerId).warnings.empty());
  DumpStream namesake(account("acker", "secret"), {.server_id = kAckerId});
  ASSERT_TRUE(namesake.connect().ok());
  ASSERT_TRUE(namesake.begin(binlog_end()).ok());
  EXPECT_TRUE(wait_until([&] { return drain->status().kicked_out >= 1; }))
      << drain->status().error_code << " " << drain->status().reason;
  EXPECT_TRUE(wait_until([&] { return drain->status().connections >= 2; }));
}

TEST_F(ServerLink, WrongPassword) {
  DumpDrainOptions options;
  options.account = account("acker", "wrong");
  options.stream.server_id = kAckerId;
  DumpDrain drain(options, [](const ServerRun&) {
    return Registration{first_position(), kIncarnation};
  });
  drain.start();
  ASSERT_TRUE(wait_until([&] { return drain.status().error_code == 1045; }));
  EXPECT_NE(drain.status().reason.find("Access denied"), std::string::npos);
}

// After RESET MASTER the old positions name other bytes. The dump thread does not notice; control
// (told by the tailer) reconnects for a new incarnation, and only then may ACKs flow again.
TEST_F(ServerLink, ResetMasterNeedsANewRegistration) {
  const auto drain = make_drain();
  FakeLane lane(*drain, binlog_end);
  drain->start();
  ASSERT_TRUE(root_.query("INSERT INTO t.rows (payload) VALUES ('before')").ok());
  ASSERT_TRUE(drained_to(*drain, binlog_end()));
  ASSERT_TRUE(control_->set_enabled(true).ok());
  lane.set_incarnation(kIncarnation + 1);  // the tailer has seen it: no word on this connection
  ASSERT_TRUE(root_.query("RESET MASTER").ok());
  auto commit = commit_later();
  ASSERT_TRUE(waits(1));
  EXPECT_EQ(drain->status().connections, 1U);
  lane.set_incarnation(kIncarnation);
  drain->reconnect();
  EXPECT_TRUE(commit.get().ok());
  EXPECT_EQ(drain->status().connections, 2U);
  EXPECT_TRUE(drained_to(*drain, binlog_end()));
}

TEST_F(ServerLink, HoldsWhileControlIsNotReady) {
  std::atomic<bool> ready{false};
  const auto drain = make_drain([&](const ServerRun&) -> std::optional<Position> {
    if (!ready) return std::nullopt;
    return first_position();
  });
  FakeLane lane(*drain, nothing);
  drain->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().attempts >= 3; }));
  EXPECT_EQ(drain->status().connections, 0U);
  ready = true;
  EXPECT_TRUE(drained_to(*drain, binlog_end()));
}

TEST_F(ServerLink, GoodbyeIsHeard) {
  {
    const auto drain = make_drain();
    FakeLane lane(*drain, nothing);
    drain->start();
    ASSERT_TRUE(wait_until([&] { return status().clients == 1; }));
    drain->stop();
    EXPECT_EQ(drain->status().state, DrainState::stopped);
  }
  EXPECT_TRUE(wait_until([&] { return status().clients == 0; }));
}

TEST_F(ServerLink, SyncedFollowsTheDumpUnderTheConfirmedSetting) {
  const auto drain = make_drain();
  FakeLane lane(*drain, nothing);
  drain->start();
  SyncedConfirmer confirmer;
  const auto poll = [&] {
    confirmer.on_poll_begin(drain->dump_position());
    confirmer.on_poll_end(status().sync_binlog);
  };
  poll();
  ASSERT_TRUE(confirmer.own_sync_begin());
  const Position baseline = binlog_end();
  confirmer.on_own_sync(baseline);
  ASSERT_TRUE(root_.query("INSERT INTO t.rows (payload) VALUES ('1')").ok());
  const Position one = binlog_end();
  ASSERT_TRUE(drained_to(*drain, one));
  poll();
  EXPECT_EQ(confirmer.synced(), one);
  ASSERT_TRUE(root_.query("SET GLOBAL sync_binlog=0").ok());
  ASSERT_TRUE(root_.query("INSERT INTO t.rows (payload) VALUES ('2')").ok());
  ASSERT_TRUE(drained_to(*drain, binlog_end()));
  poll();
  EXPECT_EQ(confirmer.synced(), one);
  ASSERT_TRUE(root_.query("SET GLOBAL sync_binlog=1").ok());
  poll();
  poll();
  EXPECT_EQ(confirmer.synced(), one);
  EXPECT_TRUE(confirmer.needs_own_sync());
}

// It leaves another binlog file and another run behind, which the tests after it do not mind.
TEST_F(ServerLink, ServerCrashAndRestart) {
  std::vector<ServerRun> runs;
  std::mutex mutex;
  const auto drain = make_drain([&](const ServerRun& run) {
    const std::lock_guard lock(mutex);
    if (runs.empty() || !runs.back().is_same_as(run)) runs.push_back(run);
    return first_position();
  });
  FakeLane lane(*drain, nothing);
  drain->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().state == DrainState::draining; }));
  const std::uint32_t first = drain->status().start.file;
  server_->kill();
  ASSERT_TRUE(wait_until([&] { return drain->status().state != DrainState::draining; }));
  EXPECT_FALSE(sql_.query("SELECT 1").ok());
  EXPECT_FALSE(sql_.is_connected());
  EXPECT_FALSE(control_->poll().ok());
  server_->start();
  ASSERT_TRUE(wait_until([&] { return drain->status().connections == 2; }));
  EXPECT_GT(drain->status().start.file, first);
  const std::lock_guard lock(mutex);
  EXPECT_EQ(runs.size(), 2U);
}

TEST_F(ServerLink, StopDoesNotWaitForAFrozenServer) {
  for (const bool connected : {true, false}) {
    const auto drain = make_drain();
    FakeLane lane(*drain, nothing);
    if (connected) {
      drain->start();
      ASSERT_TRUE(wait_until([&] { return drain->status().state == DrainState::draining; }));
      server_->signal(SIGSTOP);
    } else {
      server_->signal(SIGSTOP);
      drain->start();
      ASSERT_TRUE(wait_until([&] { return drain->status().attempts == 1; }));
    }
    drain->stop();
    EXPECT_EQ(drain->status().state, DrainState::stopped);
    server_->signal(SIGCONT);
  }
}

}  // namespace
}  // namespace binlane
