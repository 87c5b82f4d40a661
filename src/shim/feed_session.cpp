#include "shim/feed_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/clock.h"
#include "base/log.h"
#include "shim/archive_gtids.h"
#include "shim/fixed_feed_limit.h"
#include "shim/native_password.h"
#include "shim/stream_scan.h"

namespace binlane {
namespace {

constexpr std::uint32_t kCapabilities =
    mysql::kClientLongPassword | mysql::kClientLongFlag | mysql::kClientConnectWithDb |
    mysql::kClientProtocol41 | mysql::kClientTransactions | mysql::kClientSecureConnection |
    mysql::kClientPluginAuth | mysql::kClientConnectAttributes | mysql::kClientPluginAuthLenenc;

// A login takes a round trip or two. Whoever is on this host takes less time than a network may.
constexpr std::uint64_t kLoginTimeoutNs = 10 * kNanosPerSecond;
constexpr std::uint64_t kLocalLoginTimeoutNs = 2 * kNanosPerSecond;
// Between commands. A replica asks one after the other, and then begins its dump.
constexpr std::uint64_t kIdleTimeoutNs = 300 * kNanosPerSecond;
// How long a question waits for an archive that holds nothing yet. The replica gives up after its
// slave_net_timeout, 60 s unless changed, and then tries again.
constexpr std::uint64_t kArchiveWaitNs = 45 * kNanosPerSecond;
constexpr std::uint64_t kWaitSliceNs = 100 * kNanosPerMilli;
constexpr std::uint64_t kShortestHeartbeatNs = kNanosPerMilli;

constexpr std::uint16_t kBadHandshake = 1043;
constexpr std::uint16_t kAccessDenied = 1045;
constexpr std::uint16_t kUnknownCommand = 1047;
constexpr std::uint16_t kMalformedPacket = 1835;
constexpr std::uint16_t kMalformedGtids = 1941;
constexpr std::uint16_t kDuplicateGtidDomain = 1943;

// Where what a client is given of it ends (S2): the seal may lie within a group.
Position whole_groups_of(const SealedFeed& sealed) {
  const PosixBinlogFiles files(sealed.place.directory, sealed.place.basename);
  // Files that cannot be read hold nothing for anybody, wherever they end.
  return whole_groups_before(files, sealed.end).value_or(sealed.end);
}

}  // namespace

FeedSession::FeedSession(FeedClient& client, const FeedShared& shared)
    : client_(client),
      shared_(shared),
      queries_({
          .source = [this] { return source(); },
          .gtid_position = [this](const std::string& file,
                                  std::uint64_t offset) { return gtid_position(file, offset); },
          .files = [this] { return files(); },
          .kill = shared.kill,
          .connection_id = client.id,
      }) {}

void FeedSession::run() {
  if (!login()) return;
  while (serve_command()) {
  }
}

bool FeedSession::login() {
  const auto challenge = mysql::random_challenge();
  if (!challenge) {
    log::error("feed_login", "the system's random generator gives nothing: no login is possible");
    return false;
  }
  mysql::Handshake handshake;
  handshake.server_version = kFeedServerVersion;
  handshake.connection_id = static_cast<std::uint32_t>(client_.id);
  handshake.challenge = *challenge;
  handshake.capabilities = kCapabilities;
  if (!send(mysql::build_handshake(handshake))) return false;
  mysql::Payload payload;
  const auto status = client_.socket.read(payload, false, login_time_left());
  if (status != PacketSocket::Status::ok) {
    ++shared_.counters.refused_logins;
    count_failure(status);
    return false;
  }
  const auto response = mysql::parse_handshake_response(payload);
  if (!response) {
    ++shared_.counters.refused_logins;
    send_error(kBadHandshake, "08S01", "Bad handshake; note that the feed offers no TLS");
    return false;
  }
  if (check_token(*response, *challenge)) {
    client_.logged_in = true;
    client_.socket.set_max_packet(FeedClient::kMaxCommand);
    return send(mysql::build_ok());
  }
  ++shared_.counters.refused_logins;
  const std::string message = fmt::format("Access denied for user '{}'@'{}' (using password: {})",
                                          mysql::shown(response->user, mysql::kMaxName),
                                          client_.address, response->token.empty() ? "NO" : "YES");
  log::warning("feed_login_refused", "{}", message);
  send_error(kAccessDenied, "28000", message);
  return false;
}

bool FeedSession::check_token(const mysql::HandshakeResponse& response,
                              const std::array<std::byte, mysql::kChallengeSize>& challenge) {
  mysql::Payload token = response.token;
  if (!response.plugin.empty() && response.plugin != mysql::kNativePassword) {
    // What it has sent was made for another plugin.
    if (!send(mysql::build_auth_switch(mysql::kNativePassword, challenge))) return false;
    const auto status = client_.socket.read(token, false, login_time_left());
    if (status != PacketSocket::Status::ok) {
      count_failure(status);
      return false;
    }
  }
  const bool user_matches = response.user == shared_.options.user;
  return mysql::native_password_matches(token, shared_.options.password.reveal(), challenge) &&
         user_matches;
}

// One deadline for all of the login, however it is sent.
std::uint64_t FeedSession::login_time_left() const {
  const std::uint64_t allowed = client_.is_local ? kLocalLoginTimeoutNs : kLoginTimeoutNs;
  const std::uint64_t used = monotonic_ns() - client_.accepted_ns;
  return used < allowed ? allowed - used : 0;
}

bool FeedSession::serve_command() {
  mysql::Payload payload;
  const auto status = client_.socket.read(payload, true, kIdleTimeoutNs);
  if (status != PacketSocket::Status::ok || payload.empty()) {
    count_failure(status == PacketSocket::Status::ok ? PacketSocket::Status::broken : status);
    return false;
  }
  const ConstBytes body = ConstBytes(payload).subspan(1);
  switch (static_cast<mysql::Command>(payload[0])) {
    case mysql::Command::quit:
      return false;
    case mysql::Command::ping:
    case mysql::Command::init_db:
      return send(mysql::build_ok());
    case mysql::Command::statistics:
      return send_statistics();
    case mysql::Command::reset_connection:
      queries_.forget_variables();
      return send(mysql::build_ok());
    case mysql::Command::query:
      return serve_query(mysql::to_text(body));
    case mysql::Command::register_slave:
      return serve_register(body);
    case mysql::Command::binlog_dump:
      return serve_dump(body);
  }
  return send_error(kUnknownCommand, "08S01", "Unknown command");
}

bool FeedSession::serve_query(std::string_view sql) {
  const FeedAnswer answer = queries_.answer(sql);
  switch (answer.kind) {
    case FeedAnswer::Kind::ok:
      return send(mysql::build_ok());
    case FeedAnswer::Kind::error:
      return send_error(answer.error.code, answer.error.state, answer.error.message);
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
  return send(mysql::as_bytes(text));
}

bool FeedSession::serve_register(ConstBytes body) {
  const auto request = mysql::parse_register_slave(body);
  if (!request) {
    count_failure(PacketSocket::Status::broken);
    return send_error(kMalformedPacket, "HY000", "Malformed communication packet");
  }
  client_.server_id = request->server_id;
  return send(mysql::build_ok());
}

bool FeedSession::serve_dump(ConstBytes body) {
  auto dump = mysql::parse_binlog_dump(body);
  if (!dump) {
    count_failure(PacketSocket::Status::broken);
    return send_error(kMalformedPacket, "HY000", "Malformed communication packet");
  }
  const auto facts = source();
  const auto archive = place();
  if (!facts || !archive) return false;
  client_.server_id = dump->server_id;
  if (dump->server_id == 0) {
    // As a real source does: a client without an id gets what there is, and an end.
    dump->flags |= mysql::kDumpNonBlock;
  } else {
    client_.superseded = false;
    shared_.supersede(client_);
  }
  DumpRequest request;
  request.dump = *dump;
  request.source_id = facts->server_id;
  request.capability = static_cast<std::uint32_t>(queries_.number("mariadb_slave_capability", 0));
  request.checksum_aware = queries_.variable("master_binlog_checksum").has_value();
  request.checksums = queries_.variable("master_binlog_checksum") == "CRC32";
  request.skip_marked = queries_.number("skip_replication", 0) != 0;
  request.heartbeat_ns = queries_.number("master_heartbeat_period", 0);
  if (request.heartbeat_ns != 0) {
    request.heartbeat_ns = std::max(request.heartbeat_ns, kShortestHeartbeatNs);
  }
  if (const auto start = queries_.variable("slave_connect_state")) {
    const auto position = GtidPosition::parse(*start);
    const auto until_text = queries_.variable("slave_until_gtid");
    auto until = until_text ? GtidPosition::parse(*until_text) : std::nullopt;
    if (!position || (until_text && !until)) {
      ++shared_.counters.refused_dumps;
      // As a source words it.
      if (const auto both = GtidPosition::conflict(position ? *until_text : *start)) {
        return send_error(
            kDuplicateGtidDomain, "HY000",
            fmt::format("GTID {} and {} conflict (duplicate domain id {})", to_string(both->first),
                        to_string(both->second), both->first.domain));
      }
      return send_error(kMalformedGtids, "HY000", "Could not parse GTID list");
    }
    request.gtid = GtidRequest{
        .start = *position,
        .until = std::move(until),
        .strict = queries_.number("slave_gtid_strict_mode", 0) != 0,
        .ignore_duplicates = queries_.number("slave_gtid_ignore_duplicates", 0) != 0,
        .replica_server_id = dump->server_id,
    };
  }
  if (!shared_.options.sealed.empty()) {
    if (!request.gtid) {
      ++shared_.counters.refused_dumps;
      return send_error(kFatalDumpError, "HY000",
                        "The source was replaced by a promotion, and its binlogs have other names "
                        "and positions: a replica that follows by file and position cannot go on; "
                        "use MASTER_USE_GTID=slave_pos");
    }
    bool goes_on = false;
    const bool connected = dump_sealed(request, goes_on);
    if (!goes_on) return connected;
  }
  DumpSession session(client_, shared_.counters, shared_.restarts, *archive, shared_.limit,
                      std::move(request));
  return session.run();
}

// Sends what the replica misses of the streams before. `goes_on`: it has all of them now, and wants
// the archive's; request.gtid says from where.
bool FeedSession::dump_sealed(DumpRequest& request, bool& goes_on) {
  for (const SealedFeed& sealed : shared_.options.sealed) {
    FixedFeedLimit limit;
    limit.set(whole_groups_of(sealed));
    ArchiveGtids gtids(sealed.place, limit, [this] { return client_.socket.ended(); });
    const auto end = gtids.history();
    // Its files are gone, or it holds nothing: whoever misses something of it will be told so.
    if (!end) continue;
    const GtidPosition reached = end->position();
    if (covers(request.gtid->start, reached)) continue;
    DumpRequest part = request;
    part.sealed = true;
    DumpSession session(client_, shared_.counters, shared_.restarts, sealed.place, limit,
                        std::move(part));
    const bool connected = session.run();
    if (!session.at_sealed_end()) return connected;
    for (const auto& [domain, gtid] : reached.by_domain()) {
      const GtidEntry* const had = request.gtid->start.find(domain);
      if (had == nullptr || had->sequence < gtid.sequence) request.gtid->start.set(gtid);
    }
  }
  goes_on = true;
  // The new stream's first event groups may not be released yet.
  return wait_until([this] { return place() && !shared_.limit.whole_groups().is_null(); });
}

bool FeedSession::send(ConstBytes payload) {
  client_.socket.write(payload);
  const auto status = client_.socket.flush();
  if (status != PacketSocket::Status::ok) count_failure(status);
  return status == PacketSocket::Status::ok;
}

bool FeedSession::send_error(std::uint16_t code, std::string state, std::string message) {
  shared_.counters.set_last_error(message);
  return send(mysql::build_error({code, std::move(state), std::move(message)}));
}

void FeedSession::count_failure(PacketSocket::Status status) {
  if (status == PacketSocket::Status::broken) ++shared_.counters.broken_clients;
  if (status == PacketSocket::Status::timeout) ++shared_.counters.stalled_clients;
}

bool FeedSession::wait_until(const std::function<bool()>& ready) {
  const std::uint64_t deadline = monotonic_ns() + kArchiveWaitNs;
  while (!ready()) {
    const std::uint64_t now = monotonic_ns();
    if (now >= deadline || client_.socket.ended() || client_.socket.has_input()) return false;
    // Beyond what was there when `ready` looked, or a little later: the basename may come alone.
    shared_.limit.wait_beyond(shared_.limit.whole_groups(), now + kWaitSliceNs);
  }
  return true;
}

std::optional<ArchivePlace> FeedSession::place() const {
  std::string basename = shared_.options.basename();
  if (basename.empty()) return std::nullopt;
  return ArchivePlace{shared_.options.archive_dir, std::move(basename)};
}

std::optional<SourceFacts> FeedSession::source() {
  std::optional<SourceFacts> facts;
  wait_until([&] {
    const auto archive = place();
    if (archive && !shared_.limit.whole_groups().is_null()) {
      facts = source_of(*archive, shared_.limit);
    } else if (!shared_.options.sealed.empty()) {
      const SealedFeed& sealed = shared_.options.sealed.back();
      FixedFeedLimit limit;
      limit.set(whole_groups_of(sealed));
      facts = source_of(sealed.place, limit);
    }
    return facts.has_value();
  });
  return facts;
}

std::optional<SourceFacts> FeedSession::source_of(const ArchivePlace& place, FeedLimit& limit) {
  ArchiveGtids gtids(place, limit, [this] { return client_.socket.ended(); });
  const std::uint32_t newest = gtids.newest_file();
  auto start = gtids.file_start(newest);
  // Of a file that has just begun the format description may not be released yet.
  if (!start && newest > 1) start = gtids.file_start(newest - 1);
  if (!start) return std::nullopt;
  SourceFacts facts;
  facts.checksums = start->format.checksums;
  facts.server_id =
      shared_.options.server_id != 0 ? shared_.options.server_id : start->format.server_id;
  if (start->gtid_list) {
    // The domain it last wrote in, as far as the list tells.
    for (const GtidEntry& entry : *start->gtid_list) {
      if (entry.server_id == start->format.server_id) facts.gtid_domain = entry.domain;
    }
  }
  return facts;
}

std::optional<std::vector<ServedFile>> FeedSession::files() {
  const bool came = wait_until([&] { return place() && !shared_.limit.whole_groups().is_null(); });
  const auto archive = place();
  if (!came || !archive) return std::nullopt;
  const Position limit = shared_.limit.whole_groups();
  ArchiveGtids gtids(*archive, shared_.limit, [this] { return client_.socket.ended(); });
  std::vector<ServedFile> files;
  const std::uint32_t newest = gtids.newest_file();
  for (std::uint32_t number = gtids.oldest_file(); number != 0 && number <= newest; ++number) {
    std::error_code error;
    const auto size = number == limit.file
                          ? limit.offset
                          : std::filesystem::file_size(archive->path(number), error);
    if (error) return std::nullopt;  // it was deleted meanwhile
    files.push_back({archive->file_name(number), size});
  }
  return files;
}

std::optional<std::optional<std::string>> FeedSession::gtid_position(const std::string& file,
                                                                     std::uint64_t offset) {
  const Position position{binlog_file_number(file),
                          std::max<std::uint64_t>(offset, kBinlogMagicSize)};
  const Position limit = shared_.limit.whole_groups();
  if (!limit.is_null() && position.file > limit.file + kMaxFilesAhead)
    return std::optional<std::optional<std::string>>(
        std::in_place);  // NULL, as a source says of a file it lacks
  // A replica may be ahead of the archive for a moment: the answer has to wait, not to be wrong.
  const bool came = wait_until([&] {
    client_.ahead = shared_.limit.whole_groups() < position;
    return place() && !client_.ahead;
  });
  client_.ahead = false;
  if (!came) return std::nullopt;
  const auto archive = place();
  std::optional<std::string> text;
  if (position.is_null() || !archive || archive->file_name(position.file) != file) return text;
  ArchiveGtids gtids(*archive, shared_.limit, [this] { return client_.socket.ended(); });
  if (const auto history = gtids.history_at(position)) text = history->position().text();
  return text;
}

}  // namespace binlane
