// What the feed's tests share that talk to it as a client does, over real sockets on loopback.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/clock.h"
#include "feed_binlog.h"
#include "shim/binlog/mysql_gtid_set.h"
#include "shim/feed/binlog_server.h"
#include "shim/feed/caching_sha2.h"
#include "shim/feed/fixed_feed_limit.h"
#include "shim/feed/mysql_frame.h"
#include "shim/feed/native_password.h"

namespace binlane::test {

inline constexpr int kPatienceMs = 20'000;
inline constexpr std::size_t kMaxPacket = 64 << 20;

// A small blocking client; what fails shows as an empty payload.
class FeedTestClient {
 public:
  explicit FeedTestClient(std::uint16_t port)
      : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  FeedTestClient(const FeedTestClient&) = delete;
  FeedTestClient& operator=(const FeedTestClient&) = delete;
  ~FeedTestClient() { close(descriptor_); }

  mysql::Payload receive() {
    deframer_.expect_sequence(sequence_);
    for (;;) {
      used_ += deframer_.consume(ConstBytes(input_).subspan(used_));
      if (deframer_.state() == mysql::Deframer::State::complete) {
        sequence_ = deframer_.next_sequence();
        return deframer_.take();
      }
      EXPECT_EQ(deframer_.state(), mysql::Deframer::State::incomplete);
      pollfd waited{descriptor_, POLLIN, 0};
      if (poll(&waited, 1, kPatienceMs) <= 0) {
        ADD_FAILURE() << "the server said nothing";
        return {};
      }
      input_.resize(64 << 10);
      const ssize_t count = recv(descriptor_, input_.data(), input_.size(), 0);
      input_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
      used_ = 0;
      if (count <= 0) return {};
    }
  }
  bool closed_by_server() { return receive().empty(); }
  // Reads on to the end, whatever comes.
  void drain() {
    while (!receive().empty()) {
    }
  }

  void send(ConstBytes payload) {
    mysql::Payload framed;
    mysql::append_framed(framed, payload, sequence_);
    raw(framed);
  }
  void command(ConstBytes payload) {
    sequence_ = 0;
    send(payload);
  }
  void query(std::string_view sql) {
    command(mysql::Writer().number(std::uint8_t{3}).text(sql).take());
  }
  void raw(ConstBytes bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;  // the server may hang up on nonsense at any time
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  // Whether the login was accepted; `plugin` is the one that the client claims to prefer.
  bool login(std::string_view user = "feed", std::string_view password = "secret",
             std::string_view plugin = mysql::kNativePassword) {
    const auto greeting = mysql::parse_handshake(receive());
    if (!greeting) return false;
    mysql::HandshakeResponse response;
    response.capabilities = mysql::kClientProtocol41 | mysql::kClientSecureConnection |
                            mysql::kClientPluginAuth | mysql::kClientPluginAuthLenenc;
    response.user = user;
    response.plugin = plugin;
    response.token = mysql::native_password_token(password, greeting->challenge);
    const bool other = plugin != mysql::kNativePassword;
    if (other) response.token.assign(32, std::byte{'x'});
    send(mysql::build_handshake_response(response));
    answer_ = receive();
    if (other && !answer_.empty() && answer_[0] == std::byte{mysql::kEofByte}) {
      mysql::Reader reader(ConstBytes(answer_).subspan(1));
      EXPECT_EQ(reader.text_to_zero(), mysql::kNativePassword);
      send(mysql::native_password_token(password, reader.bytes(mysql::kChallengeSize)));
      answer_ = receive();
    }
    return answer_ == mysql::build_ok();
  }
  // The same as a client of MySQL, by the plugin that it names. If the greeting names another one,
  // clients wait until the server asks for theirs, but for old ones.
  bool login_to_mysql(std::string_view plugin = mysql::kCachingSha2Password,
                      std::string_view password = "secret", std::string_view user = "feed",
                      bool waits = true) {
    const auto greeting = mysql::parse_handshake(receive());
    if (!greeting) return false;
    greeting_ = *greeting;
    mysql::HandshakeResponse response;
    response.capabilities = mysql::kClientProtocol41 | mysql::kClientSecureConnection |
                            mysql::kClientPluginAuth | mysql::kClientPluginAuthLenenc;
    response.user = user;
    response.plugin = plugin;
    const auto token = [&](std::string_view by, ConstBytes challenge) {
      return by == mysql::kNativePassword ? mysql::native_password_token(password, challenge)
                                          : mysql::caching_sha2_token(password, challenge);
    };
    if (!waits || plugin == greeting->plugin) response.token = token(plugin, greeting->challenge);
    send(mysql::build_handshake_response(response));
    answer_ = receive();
    if (!answer_.empty() && answer_[0] == std::byte{mysql::kEofByte}) {
      mysql::Reader reader(ConstBytes(answer_).subspan(1));
      switched_to_ = reader.text_to_zero();
      send(token(switched_to_, reader.bytes(mysql::kChallengeSize)));
      answer_ = receive();
    }
    fast_ = std::ranges::equal(answer_, mysql::kFastAuthDone);
    if (fast_) answer_ = receive();
    return answer_ == mysql::build_ok();
  }
  const mysql::Handshake& greeting() const { return greeting_; }
  const std::string& switched_to() const { return switched_to_; }
  // The server has said that the token was right before it said OK.
  bool fast() const { return fast_; }
  void begin_dump(const mysql::BinlogDump& dump, const MysqlGtidSet& held) {
    EXPECT_TRUE(ok("SET @master_binlog_checksum='CRC32', @source_binlog_checksum='CRC32'"));
    command(mysql::build_binlog_dump_gtid({dump, held.encode(MysqlGtidEncoding::tagged)}));
  }

  bool ok(std::string_view sql) {
    query(sql);
    return receive() == mysql::build_ok();
  }
  void begin_dump(const mysql::BinlogDump& dump, const std::string& gtid_start = "none") {
    EXPECT_TRUE(ok("SET @mariadb_slave_capability=4"));
    EXPECT_TRUE(ok("SET @master_binlog_checksum='CRC32'"));
    if (gtid_start != "none") {
      EXPECT_TRUE(ok("SET @slave_connect_state='" + gtid_start + "'"));
    }
    command(mysql::build_binlog_dump(dump));
  }
  // Reads `count` events of a dump, or on to its end for 0, as "type:end" texts; then answer() is
  // the packet that ended it.
  std::string events(std::size_t count = 0) {
    std::string text;
    for (std::size_t i = 0; count == 0 || i < count; ++i) {
      answer_ = receive();
      if (answer_.size() <= kEventHeaderSize || answer_[0] != std::byte{0}) break;
      const EventHeader header = parse_event_header(answer_.data() + 1);
      EXPECT_EQ(header.length, answer_.size() - 1);
      const std::size_t covered = header.length - kEventChecksumSize;
      const ConstBytes event = ConstBytes(answer_).subspan(1);
      EXPECT_EQ(crc32(0, event.first(covered)), load_le<std::uint32_t>(event.data() + covered));
      text += std::to_string(static_cast<int>(header.type)) + ':' + std::to_string(header.end_low) +
              ' ';
    }
    return text;
  }
  std::string error() const {
    const auto error = mysql::parse_error(answer_);
    return error ? std::to_string(error->code) + ' ' + error->message : "no error";
  }
  const mysql::Payload& answer() const { return answer_; }

 private:
  const int descriptor_;
  mysql::Deframer deframer_{kMaxPacket};
  mysql::Payload input_;
  std::size_t used_ = 0;
  std::uint8_t sequence_ = 0;
  mysql::Payload answer_;
  mysql::Handshake greeting_;
  std::string switched_to_;
  bool fast_ = false;
};

class FeedTest : public testing::Test {
 protected:
  FeedOptions options() const {
    FeedOptions options;
    options.listen = "127.0.0.1:0";
    options.user = "feed";
    options.password = Secret("secret");
    options.archive_dir = folder_.path();
    options.basename = [] { return std::string("binlog"); };
    options.max_clients = 4;
    return options;
  }

  // One file: format description, Gtid_list, groups 0-11-1 … 0-11-3; the limit is after the second.
  void build() {
    BinlogBuilder file;
    ends_.push_back(file.format_description(1, kEventFlagInUse));
    ends_.push_back(file.gtid_list({}));
    for (std::uint64_t i = 1; i <= 3; ++i) ends_.push_back(file.group(i));
    folder_.write(1, file);
    limit_.set({1, ends_[3]});
  }
  template <class Condition>
  void wait_for(Condition condition) {
    const std::uint64_t deadline = monotonic_ns() + kPatienceMs * kNanosPerMilli;
    while (!condition()) {
      ASSERT_LT(monotonic_ns(), deadline) << "waited in vain";
      sched_yield();
    }
  }
  static mysql::BinlogDump dump_from(std::uint32_t position, std::string file,
                                     std::uint16_t flags = mysql::kDumpNonBlock,
                                     std::uint32_t server_id = 12) {
    return {position, flags, server_id, std::move(file)};
  }

  const TemporaryFolder folder_;
  FixedFeedLimit limit_;
  std::vector<std::uint64_t> ends_;
};

}  // namespace binlane::test
