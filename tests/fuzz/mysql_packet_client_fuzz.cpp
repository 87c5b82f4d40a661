// What a client sends to the feed: the parsers by themselves, and whole connections against a
// session that serves a small archive.
//
// An input is {mode, bytes}. Mode bit 0: the bytes are single packets' bodies and statements.
// Otherwise they are a connection: with bit 1 unchanged, else records {command, chunk} that are
// framed, after a login that succeeds. Bit 2: the archive is of a MySQL server.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "fuzz_archive.h"
#include "fuzz_target.h"
#include "shim/binlog/gtid_set.h"
#include "shim/feed/feed_client.h"
#include "shim/feed/feed_limit.h"
#include "shim/feed/feed_query.h"
#include "shim/feed/feed_session.h"
#include "shim/feed/mysql_frame.h"
#include "shim/feed/mysql_packet.h"

namespace {

using namespace binlane;

constexpr std::size_t kMaxCommands = 8;
constexpr std::size_t kMaxCommandBytes = 2048;
constexpr std::size_t kMaxConnectionBytes = 16 * 1024;

void check_login(ConstBytes bytes) {
  const auto response = mysql::parse_handshake_response(bytes);
  if (!response) return;
  auto again_of = *response;
  // Written with the longer form of the token's length.
  again_of.capabilities |= mysql::kClientPluginAuthLenenc;
  const auto again = mysql::parse_handshake_response(mysql::build_handshake_response(again_of));
  BL_ASSERT(again && again->user == response->user && again->token == response->token);
  BL_ASSERT(again->database == response->database && again->plugin == response->plugin);
  BL_ASSERT(response->user.size() + response->token.size() <= bytes.size());
}

void check_dump(ConstBytes bytes) {
  const auto dump = mysql::parse_binlog_dump(bytes);
  if (!dump) return;
  const mysql::Payload again = mysql::build_binlog_dump(*dump);
  // A zero ends the file's name, whatever follows it.
  const auto end = bytes.begin() + static_cast<std::ptrdiff_t>(again.size() - 1);
  BL_ASSERT(again.size() - 1 <= bytes.size());
  BL_ASSERT(end == bytes.end() || *end == std::byte{0});
  BL_ASSERT(std::equal(again.begin() + 1, again.end(), bytes.begin(), end));
}

void check_dump_gtid(ConstBytes bytes) {
  const auto request = mysql::parse_binlog_dump_gtid(bytes);
  if (!request) return;
  BL_ASSERT(request->dump.file.size() + request->set.size() <= bytes.size());
  const auto again =
      mysql::parse_binlog_dump_gtid(ConstBytes(mysql::build_binlog_dump_gtid(*request)).subspan(1));
  BL_ASSERT(again && again->dump.file == request->dump.file && again->set == request->set);
  BL_ASSERT(again->dump.position == request->dump.position);
  const auto set = MysqlGtidSet::decode(request->set);
  if (set) BL_ASSERT(MysqlGtidSet::decode(set->encode(MysqlGtidEncoding::tagged)) == set);
}

void check_gtids(const std::string& text) {
  if (const auto position = GtidPosition::parse(text)) {
    const auto again = GtidPosition::parse(position->text());
    BL_ASSERT(again && again->text() == position->text() && again->size() == position->size());
  }
  if (const auto set = MysqlGtidSet::parse(text)) {
    BL_ASSERT(MysqlGtidSet::parse(set->text()) == set);
    BL_ASSERT(MysqlGtidSet::decode(set->encode(MysqlGtidEncoding::tagged)) == set);
    BL_ASSERT(set->covers(*set) && set->minus(*set).empty());
  }
  if (const auto gtid = parse_any_gtid(text)) BL_ASSERT(parse_any_gtid(to_string(*gtid)) == gtid);
}

void check_query(const std::string& text, std::string_view server_version) {
  const FeedFacts facts{
      .source =
          [] {
            return SourceFacts{1, 0, true};
          },
      .gtid_position = [](const std::string&,
                          std::uint64_t) { return std::optional<std::string>("0-1-2"); },
      .gtid_set = [](FeedSet) { return std::optional<std::string>("a-set"); },
      .files =
          [] {
            return std::optional(std::vector<ServedFile>{{"binlog.000001", 120}});
          },
      .kill = [](std::uint64_t id) { return id == 7; },
      .connection_id = 5,
      .greeting = FeedGreeting(server_version),
  };
  FeedQueries queries(facts);
  // One statement a line, as one session would send them.
  for (std::size_t at = 0, count = 0; at <= text.size() && count < kMaxCommands; ++count) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const FeedAnswer answer = queries.answer(std::string_view(text).substr(at, end - at));
    at = end + 1;
    if (answer.kind == FeedAnswer::Kind::error) {
      BL_ASSERT(mysql::parse_error(mysql::build_error(answer.error)).has_value());
    }
    if (answer.kind != FeedAnswer::Kind::rows) continue;
    for (const auto& row : answer.rows) BL_ASSERT(row.size() == answer.columns.size());
    BL_ASSERT(!mysql::build_result_set(answer.columns, answer.rows).empty());
  }
  queries.number("master_heartbeat_period", 0);
}

// Framed and cut anywhere, a payload comes out unchanged. Other bytes never make the deframer take
// more than there are.
void check_framing(ConstBytes bytes) {
  mysql::Payload framed;
  std::uint8_t sequence = 3;
  mysql::append_framed(framed, bytes, sequence);
  mysql::Deframer deframer(bytes.size());
  deframer.expect_sequence(3);
  ConstBytes rest = framed;
  for (std::size_t step = 1; !rest.empty(); step = step % 7 + 1) {
    const std::size_t length = std::min(step, rest.size());
    BL_ASSERT(deframer.consume(rest.first(length)) == length);
    rest = rest.subspan(length);
  }
  BL_ASSERT(deframer.state() == mysql::Deframer::State::complete);
  const mysql::Payload payload = deframer.take();
  BL_ASSERT(std::equal(payload.begin(), payload.end(), bytes.begin(), bytes.end()));
  mysql::Deframer raw(64);
  BL_ASSERT(raw.consume(bytes) <= bytes.size());
}

void run_connection(const mysql::Payload& bytes, fuzz::Archive& archive) {
  int ends[2];
  BL_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  // All of it has arrived when the session begins, and the client has nothing more to say, so
  // nothing here waits for time to pass.
  BL_ASSERT(::write(ends[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  BL_ASSERT(::shutdown(ends[1], SHUT_WR) == 0);
  FeedOptions options;
  options.user = "u";
  options.archive_dir = archive.directory();
  options.basename = [&archive] { return archive.basename(); };
  FeedCounters counters;
  SourceRestarts restarts;
  FeedClient client(1, "fuzz", ends[0], true);
  const FeedShared shared{options,
                          archive,
                          counters,
                          restarts,
                          [](const FeedClient&) {},
                          [](std::uint64_t) { return false; }};
  FeedSession(client, shared).run();
  BL_ASSERT(counters.dumps <= kMaxCommands);
  ::close(ends[1]);
}

mysql::Payload login() {
  mysql::HandshakeResponse response;
  response.capabilities = mysql::kClientProtocol41 | mysql::kClientSecureConnection;
  response.user = "u";  // without a password the token is empty
  return mysql::build_handshake_response(response);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  log::set_level(log::Level::error);
  fuzz::Input input(data, size);
  const std::uint8_t mode = input.byte();
  if ((mode & 1) != 0) {
    const std::string text(fuzz::text_of(input.rest()));
    check_login(input.rest());
    check_dump(input.rest());
    check_dump_gtid(input.rest());
    mysql::parse_register_slave(input.rest());
    check_gtids(text);
    check_query(text, "10.11.19-MariaDB");
    check_query(text, "9.7.4");
    check_framing(input.rest());
    return 0;
  }
  mysql::Payload bytes;
  if ((mode & 2) != 0) {
    const ConstBytes rest = input.take(kMaxConnectionBytes);
    bytes.assign(rest.begin(), rest.end());
  } else {
    std::uint8_t sequence = 1;
    mysql::append_framed(bytes, login(), sequence);
    for (std::size_t i = 0; i < kMaxCommands && !input.empty(); ++i) {
      mysql::Payload command{std::byte{input.byte()}};
      const ConstBytes chunk = input.chunk();
      const ConstBytes body = chunk.first(std::min(chunk.size(), kMaxCommandBytes));
      command.insert(command.end(), body.begin(), body.end());
      sequence = 0;
      mysql::append_framed(bytes, command, sequence);
    }
  }
  run_connection(bytes, (mode & 4) != 0 ? fuzz::Archive::of_mysql() : fuzz::Archive::instance());
  return 0;
}
