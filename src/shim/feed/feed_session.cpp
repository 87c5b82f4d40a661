#include "shim/feed/feed_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"
#include "shim/feed/archive_gtids.h"
#include "shim/feed/feed_login.h"
#include "shim/feed/fixed_feed_limit.h"

namespace binlane {
namespace {

// Between commands. A replica asks one after the other, and then begins its dump.
constexpr std::uint64_t kIdleTimeoutNs = 300 * kNanosPerSecond;
constexpr std::uint64_t kShortestHeartbeatNs = kNanosPerMilli;

constexpr std::uint16_t kUnknownCommand = 1047;
constexpr std::uint16_t kMalformedPacket = 1835;
constexpr std::uint16_t kMalformedGtids = 1941;
constexpr std::uint16_t kDuplicateGtidDomain = 1943;

}  // namespace

FeedSession::FeedSession(FeedClient& client, const FeedShared& shared)
    : client_(client),
      shared_(shared),
      line_(client, shared.counters),
      facts_(client, shared.options, shared.limit),
      greeting_(facts_.greeting()),
      queries_({
          .source = [this] { return source(); },
          .gtid_position = [this](
                               const std::string& file,
                               std::uint64_t offset) { return facts_.gtid_position(file, offset); },
          .gtid_set = [this](FeedSet set) { return facts_.gtid_set(set); },
          .files = [this] { return facts_.files(); },
          .kill = shared.kill,
          .connection_id = client.id,
          .greeting = greeting_,
      }) {}

std::optional<SourceFacts> FeedSession::source() {
  auto found = facts_.source();
  if (!found || found->grammar == greeting_.dialogue->grammar) return found;
  log::info("feed_greeting",
            "the client at {} was greeted before the archive told which server it is of; the "
            "connection ends, and the next one is greeted rightly",
            client_.address);
  return std::nullopt;
}

void FeedSession::run() {
  if (!FeedLogin(client_, shared_.options, greeting_, line_).run()) return;
  while (serve_command()) {
  }
}

bool FeedSession::serve_command() {
  mysql::Payload payload;
  const auto status = client_.socket.read(payload, true, kIdleTimeoutNs);
  if (status != PacketSocket::Status::ok || payload.empty()) {
    line_.count_failure(status == PacketSocket::Status::ok ? PacketSocket::Status::broken : status);
    return false;
  }
  const ConstBytes body = ConstBytes(payload).subspan(1);
  switch (static_cast<mysql::Command>(payload[0])) {
    case mysql::Command::quit:
      return false;
    case mysql::Command::ping:
    case mysql::Command::init_db:
      return line_.send(mysql::build_ok());
    case mysql::Command::statistics:
      return send_statistics();
    case mysql::Command::reset_connection:
      queries_.forget_variables();
      return line_.send(mysql::build_ok());
    case mysql::Command::query:
      return serve_query(mysql::to_text(body));
    case mysql::Command::register_slave:
      return serve_register(body);
    case mysql::Command::binlog_dump:
      return serve_dump(body);
    case mysql::Command::binlog_dump_gtid:
      return serve_dump_gtid(body);
  }
  return line_.send_error(kUnknownCommand, "08S01", "Unknown command");
}

bool FeedSession::serve_query(std::string_view sql) {
  const FeedAnswer answer = queries_.answer(sql);
  switch (answer.kind) {
    case FeedAnswer::Kind::ok:
      return line_.send(mysql::build_ok());
    case FeedAnswer::Kind::error:
      return line_.send_error(answer.error.code, answer.error.state, answer.error.message);
    case FeedAnswer::Kind::disconnect:
      return false;
    case FeedAnswer::Kind::rows:
      break;
  }
  for (const auto& packet : mysql::build_result_set(answer.columns, answer.rows)) {
    client_.socket.write(packet);
  }
  return client_.socket.flush() == PacketSocket::Status::ok;
}

// A line for people, as a server's mysqladmin status shows it.
bool FeedSession::send_statistics() {
  const std::string text = fmt::format("Uptime: {}  Threads: 1  Questions: 0  Slow queries: 0",
                                       (monotonic_ns() - shared_.started_ns) / kNanosPerSecond);
  return line_.send(mysql::as_bytes(text));
}

bool FeedSession::malformed() {
  line_.count_failure(PacketSocket::Status::broken);
  return line_.send_error(kMalformedPacket, "HY000", "Malformed communication packet");
}

bool FeedSession::refuse_dump(std::uint16_t code, std::string message) {
  ++shared_.counters.refused_dumps;
  return line_.send_error(code, "HY000", std::move(message));
}

bool FeedSession::serve_register(ConstBytes body) {
  const auto request = mysql::parse_register_slave(body);
  if (!request) return malformed();
  client_.server_id = request->server_id;
  return line_.send(mysql::build_ok());
}

bool FeedSession::serve_dump(ConstBytes body) {
  auto dump = mysql::parse_binlog_dump(body);
  return dump ? run_dump(*std::move(dump), std::nullopt) : malformed();
}

bool FeedSession::serve_dump_gtid(ConstBytes body) {
  auto request = mysql::parse_binlog_dump_gtid(body);
  auto held = request ? MysqlGtidSet::decode(request->set) : std::nullopt;
  return held ? run_dump(std::move(request->dump), std::move(held)) : malformed();
}

bool FeedSession::run_dump(mysql::BinlogDump dump, std::optional<MysqlGtidSet> held) {
  const auto facts = source();
  const auto archive = facts_.place();
  if (!facts || !archive) return false;
  client_.server_id = dump.server_id;
  if (dump.server_id == 0) {
    // As at a real source, a client without an id gets what there is, and an end.
    dump.flags |= mysql::kDumpNonBlock;
  } else {
    client_.superseded = false;
    shared_.supersede(client_);
  }
  DumpRequest request;
  request.dump = std::move(dump);
  request.dialogue = greeting_.dialogue;
  request.held = std::move(held);
  request.source_id = facts->server_id;
  request.capability = static_cast<std::uint32_t>(queries_.number("mariadb_slave_capability", 0));
  const auto uuid = queries_.variable("replica_uuid");
  if (uuid) request.replica_uuid = parse_uuid(*uuid);
  const auto checksums = queries_.source_variable("binlog_checksum");
  request.checksum_aware = checksums.has_value();
  request.checksums = checksums == "CRC32";
  request.skip_marked = queries_.number("skip_replication", 0) != 0;
  request.heartbeat_ns = queries_.source_number("heartbeat_period", 0);
  if (request.heartbeat_ns != 0) {
    request.heartbeat_ns = std::max(request.heartbeat_ns, kShortestHeartbeatNs);
  }
  bool connected = true;
  if (!take_gtid_request(request, connected)) return connected;
  if (!shared_.options.sealed.empty()) {
    if (!request.gtid && !(request.held && request.dump.file.empty()))
      return refuse_dump(kFatalDumpError, std::string(greeting_.dialogue->sealed_by_position));
    bool goes_on = false;
    connected = dump_sealed(request, goes_on);
    if (!goes_on) return connected;
  }
  DumpSession session(client_, shared_.counters, shared_.restarts, *archive, shared_.limit,
                      std::move(request));
  return session.run();
}

bool FeedSession::take_gtid_request(DumpRequest& request, bool& connected) {
  const auto start = queries_.variable("slave_connect_state");
  if (greeting_.dialogue->grammar == GtidGrammar::mysql) {
    // A server of MariaDB, by GTID or by position. Its mariadb-binlog asks for no heartbeats, and
    // may read.
    if (!start && (request.capability == 0 || request.heartbeat_ns == 0)) return true;
    connected = refuse_dump(kFatalDumpError, std::string(greeting_.dialogue->other_kind));
    return false;
  }
  if (request.held) {
    connected = refuse_dump(kFatalDumpError, std::string(greeting_.dialogue->other_kind));
    return false;
  }
  if (!start) return true;
  const auto position = GtidPosition::parse(*start);
  const auto until_text = queries_.variable("slave_until_gtid");
  auto until = until_text ? GtidPosition::parse(*until_text) : std::nullopt;
  if (!position || (until_text && !until)) {
    // In a source's words.
    const auto both = GtidPosition::conflict(position ? *until_text : *start);
    connected = both ? refuse_dump(kDuplicateGtidDomain,
                                   fmt::format("GTID {} and {} conflict (duplicate domain id {})",
                                               to_string(both->first), to_string(both->second),
                                               both->first.domain))
                     : refuse_dump(kMalformedGtids, "Could not parse GTID list");
    return false;
  }
  request.gtid = GtidRequest{
      .start = *position,
      .until = std::move(until),
      .strict = queries_.number("slave_gtid_strict_mode", 0) != 0,
      .ignore_duplicates = queries_.number("slave_gtid_ignore_duplicates", 0) != 0,
      .replica_server_id = request.dump.server_id,
  };
  return true;
}

// Sends what the replica lacks of the streams before. `goes_on`: it has all of them now, and wants
// the archive's; `request` says from where.
bool FeedSession::dump_sealed(DumpRequest& request, bool& goes_on) {
  for (const SealedFeed& sealed : shared_.options.sealed) {
    FixedFeedLimit limit;
    limit.set(ArchiveFacts::whole_groups_of(sealed));
    ArchiveGtids gtids(sealed.place, limit, [this] { return client_.socket.ended(); });
    const auto reached = gtids.named();
    // Its files are gone, or it holds nothing: a client that lacks something of it will be told so.
    if (!reached || request.holds(*reached)) continue;
    DumpRequest part = request;
    part.sealed = true;
    DumpSession session(client_, shared_.counters, shared_.restarts, sealed.place, limit,
                        std::move(part));
    const bool connected = session.run();
    if (!session.at_sealed_end()) return connected;
    request.has_got(*reached);
  }
  goes_on = true;
  // The new stream's first event groups may not be released yet.
  return facts_.wait_for_stream();
}

}  // namespace binlane
