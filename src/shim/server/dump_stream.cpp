#include "shim/server/dump_stream.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <limits>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "shim/server/acker_uuid.h"
#include "shim/server/semi_sync_ack.h"
#include "shim/server/semi_sync_control.h"

namespace binlane {
namespace {

constexpr std::byte kComRegisterSlave{0x15};
constexpr std::byte kComBinlogDump{0x12};
constexpr std::byte kComBinlogDumpGtid{0x1e};
// An answer to a command is an OK or an error with its text.
constexpr std::size_t kMaxAnswerSize = 4096;

void append(std::vector<std::byte>& out, std::string_view text) {
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
}

template <std::unsigned_integral T>
void append_le(std::vector<std::byte>& out, T value) {
  const std::size_t at = out.size();
  out.resize(at + sizeof value);
  store_le(out.data() + at, value);
}

DumpError from_sql(const SqlError& error) {
  return {error.is_connection_failure() ? DumpErrorKind::connection : DumpErrorKind::refused,
          error.code, error.text};
}

}  // namespace

DumpStream::DumpStream(ServerAccount account, DumpStreamOptions options)
    : connection_(std::move(account)), options_(options), buffer_(kBufferSize) {
  BL_ASSERT(options_.server_id != 0);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) wake_error_ = errno;
}

DumpStream::~DumpStream() {
  close();
  if (wake_ >= 0) ::close(wake_);
}

DumpError DumpStream::connect() {
  ours_ = false;
  parser_.reset();
  unread_ = {};
  // Otherwise nothing that waits could be interrupted.
  if (wake_ < 0) return {DumpErrorKind::connection, 0, "eventfd: " + errno_text(wake_error_)};
  const SqlError error = connection_.connect();
  if (!error.ok()) return {DumpErrorKind::connection, error.code, error.text};
  // An interrupt() that came before the connection existed has had nothing to shut down.
  if (interrupted_) return {DumpErrorKind::closed, 0, "interrupted"};
  ServerFactsResult facts = read_server_facts(connection_);
  if (!facts.ok()) return from_sql(facts.error);
  facts_ = std::move(facts.facts);
  if (!facts_.log_bin) return {DumpErrorKind::refused, 0, "the server's log_bin is OFF"};
  if (options_.semi_sync && facts_.semi_sync_words == SemiSyncWords::none)
    return {DumpErrorKind::refused, 0, "the server has no semi-sync replication"};
  return {};
}

DumpError DumpStream::begin(const Position& start) {
  BL_ASSERT(connection_.is_connected() && !ours_ && !start.is_null());
  start_ = start;
  // Asking for less than one has is always true.
  const bool too_far = start_.offset > std::numeric_limits<std::uint32_t>::max() && !wide_offsets();
  if (too_far || start_.offset < kBinlogMagicSize) start_.offset = kBinlogMagicSize;
  DumpError error = register_variables();
  if (!error.ok()) return error;
  ours_ = true;
  error = register_replica();
  if (error.ok()) error = request_dump();
  if (!error.ok()) return error;
  parser_.emplace(DumpParser::Options{options_.semi_sync, checksums_});
  return {};
}

DumpError DumpStream::register_variables() {
  const std::uint64_t heartbeat_ns = options_.heartbeat_period_ms * kNanosPerMilli;
  std::string sql = fmt::format(
      "SET @master_heartbeat_period={}, @master_binlog_checksum=@@GLOBAL.binlog_checksum",
      heartbeat_ns);
  if (facts_.flavour == ServerFlavour::mariadb) {
    // 4: understands GTID events; the server then sends its events as they are.
    sql += ", @mariadb_slave_capability=4";
  } else {
    sql += fmt::format(
        ", @source_heartbeat_period={0}, @source_binlog_checksum=@@GLOBAL.binlog_checksum, "
        "@replica_uuid='{1}', @slave_uuid='{1}'",
        heartbeat_ns,
        to_string(acker_uuid(parse_uuid(facts_.server_uuid).value_or(Uuid{}), options_.server_id)));
  }
  if (options_.semi_sync)
    sql += fmt::format(", @{}=1", semi_sync_names(facts_.semi_sync_words).replica_user_variable);
  const QueryResult set = connection_.query(sql);
  if (!set.ok()) return from_sql(set.error);
  const QueryResult choice = connection_.query("SELECT @master_binlog_checksum");
  if (!choice.ok()) return from_sql(choice.error);
  if (choice.rows.size() != 1 || choice.rows[0].size() != 1)
    return {DumpErrorKind::malformed, 0, "no answer about the checksum"};
  checksums_ = choice.rows[0][0].value_or("NONE") == "CRC32";
  return {};
}

// Only for the server's list of replicas, where an operator sees who holds which server_id.
DumpError DumpStream::register_replica() {
  std::vector<std::byte> payload{kComRegisterSlave};
  append_le<std::uint32_t>(payload, options_.server_id);
  payload.push_back(static_cast<std::byte>(kAckerHost.size()));
  append(payload, kAckerHost);
  payload.push_back(std::byte{0});       // user
  payload.push_back(std::byte{0});       // password
  append_le<std::uint16_t>(payload, 0);  // port
  append_le<std::uint32_t>(payload, 0);  // rank, unused by the servers
  append_le<std::uint32_t>(payload, 0);  // the master's id, filled in by the server
  DumpError error = send_command(payload);
  return error.ok() ? read_answer() : error;
}

// MySQL's command for replicas with GTIDs takes an offset of 64 bits. It is for servers with GTIDs.
bool DumpStream::wide_offsets() const {
  return facts_.flavour == ServerFlavour::mysql && facts_.gtid_mode;
}

DumpError DumpStream::request_dump() {
  const std::string file = binlog_file_name(binlog_base_name(facts_), start_.file);
  return send_command(
      start_.offset > std::numeric_limits<std::uint32_t>::max()
          ? dump_gtid_command(options_.server_id, file, start_.offset)
          : dump_command(options_.server_id, file, static_cast<std::uint32_t>(start_.offset)));
}

std::vector<std::byte> dump_command(std::uint32_t server_id, std::string_view file,
                                    std::uint32_t offset) {
  std::vector<std::byte> payload{kComBinlogDump};
  append_le<std::uint32_t>(payload, offset);
  append_le<std::uint16_t>(payload, 0);  // no flags: wait for more at the end, no annotations
  append_le<std::uint32_t>(payload, server_id);
  append(payload, file);
  return payload;
}

std::vector<std::byte> dump_gtid_command(std::uint32_t server_id, std::string_view file,
                                         std::uint64_t offset) {
  std::vector<std::byte> payload{kComBinlogDumpGtid};
  append_le<std::uint16_t>(payload, 0);  // no flags
  append_le<std::uint32_t>(payload, server_id);
  append_le<std::uint32_t>(payload, static_cast<std::uint32_t>(file.size()));
  append(payload, file);
  append_le<std::uint64_t>(payload, offset);
  // The set that the replica has and does not want again: none, so that all is sent.
  append_le<std::uint32_t>(payload, sizeof(std::uint64_t));
  append_le<std::uint64_t>(payload, 0);
  return payload;
}

bool is_namesake(const DumpError& error) noexcept {
  if (error.kind != DumpErrorKind::server_error) return false;
  return error.code == kErrorSameServerId ||
         (error.code == kErrorFatalReadingBinlog &&
          error.text.find("same server_uuid/server_id") != std::string::npos);
}

DumpError DumpStream::send_command(const std::vector<std::byte>& payload) {
  std::vector<std::byte> packet;
  append_le<std::uint32_t>(packet, static_cast<std::uint32_t>(payload.size()));  // sequence 0
  packet.insert(packet.end(), payload.begin(), payload.end());
  std::size_t sent = 0;
  while (sent < packet.size()) {
    const ssize_t taken = send(connection_.socket_fd(), packet.data() + sent, packet.size() - sent,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken >= 0) {
      sent += static_cast<std::size_t>(taken);
    } else if (errno == EAGAIN) {
      DumpError error = wait_for(POLLOUT);
      if (!error.ok()) return error;
    } else if (errno != EINTR) {
      return {DumpErrorKind::connection, 0, "send: " + errno_text(errno)};
    }
  }
  return {};
}

DumpError DumpStream::read_answer() {
  std::vector<std::byte> answer(kPacketHeaderSize);
  std::size_t have = 0;
  while (have < answer.size()) {
    std::size_t received = 0;
    DumpError error = receive(MutableBytes(answer).subspan(have), received);
    if (!error.ok()) return error;
    have += received;
    if (have == kPacketHeaderSize && answer.size() == kPacketHeaderSize) {
      const std::size_t size = load_le<std::uint32_t>(answer.data()) & 0xff'ffff;
      if (size == 0 || size > kMaxAnswerSize)
        return {DumpErrorKind::malformed, 0, "an answer of impossible length"};
      answer.resize(kPacketHeaderSize + size);
    }
  }
  if (answer[kPacketHeaderSize] != kErrorPacket) return {};
  DumpParser parser({false, false});
  ConstBytes input(answer);
  DumpEvent none;
  parser.next(input, none);
  if (parser.state() != DumpParser::State::server_error)
    return {DumpErrorKind::malformed, 0, parser.malformed_reason()};
  return {DumpErrorKind::refused, parser.server_error().code,
          std::string(parser.server_error().text)};
}

DumpError DumpStream::next(DumpEvent& event) {
  BL_ASSERT(parser_.has_value());
  for (;;) {
    switch (parser_->next(unread_, event)) {
      case DumpParser::Result::event:
        return {};
      case DumpParser::Result::stopped:
        return stream_ended();
      case DumpParser::Result::need_more:
        break;
    }
    std::size_t received = 0;
    DumpError error = receive(buffer_, received);
    if (!error.ok()) return error;
    bytes_read_ += received;
    unread_ = ConstBytes(buffer_.data(), received);
  }
}

DumpError DumpStream::stream_ended() const {
  switch (parser_->state()) {
    case DumpParser::State::end_of_stream:
      return {DumpErrorKind::ended, 0, "the server ended the dump"};
    case DumpParser::State::server_error:
      return {DumpErrorKind::server_error, parser_->server_error().code,
              std::string(parser_->server_error().text)};
    case DumpParser::State::malformed:
      return {DumpErrorKind::malformed, 0, parser_->malformed_reason()};
    case DumpParser::State::running:
      break;
  }
  BL_ASSERT(false);
  return {};
}

DumpError DumpStream::receive(MutableBytes out, std::size_t& received) {
  for (;;) {
    if (interrupted_.load(std::memory_order_relaxed))
      return {DumpErrorKind::closed, 0, "interrupted"};
    const ssize_t size = recv(connection_.socket_fd(), out.data(), out.size(), MSG_DONTWAIT);
    if (size > 0) {
      received = static_cast<std::size_t>(size);
      return {};
    }
    if (size == 0) return {DumpErrorKind::closed, 0, "the server closed the connection"};
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return {DumpErrorKind::connection, 0, "recv: " + errno_text(errno)};
    DumpError error = wait_for(POLLIN);
    if (!error.ok()) return error;
  }
}

DumpError DumpStream::wait_for(short events) {
  std::array<pollfd, 2> descriptors{{{connection_.socket_fd(), events, 0}, {wake_, POLLIN, 0}}};
  const int ready =
      poll(descriptors.data(), descriptors.size(), static_cast<int>(options_.read_timeout_ms));
  if (ready < 0 && errno != EINTR)
    return {DumpErrorKind::connection, 0, "poll: " + errno_text(errno)};
  if (ready == 0)
    return {DumpErrorKind::timeout, 0,
            fmt::format("no byte arrived within {} ms", options_.read_timeout_ms)};
  if (ready > 0 && descriptors[1].revents != 0) return {DumpErrorKind::closed, 0, "interrupted"};
  return {};
}

void DumpStream::close() {
  connection_.close();
  ours_ = false;
}

void DumpStream::interrupt() {
  interrupted_ = true;
  const std::uint64_t one = 1;
  // Cannot fail where there is one: the counter of an eventfd holds more calls than anybody will
  // make.
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
  // libmariadb does not watch the eventfd; only closing the socket under it ends its waits.
  if (!ours_) connection_.interrupt();
}

}  // namespace binlane
