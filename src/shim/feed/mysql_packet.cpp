#include "shim/feed/mysql_packet.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"

namespace binlane::mysql {
namespace {

constexpr std::uint8_t kProtocolVersion = 10;
// The greeting carries the challenge in two pieces.
constexpr std::size_t kChallengeFirstPiece = 8;
constexpr std::size_t kReservedInGreeting = 10;
constexpr std::size_t kReservedInResponse = 23;
constexpr std::size_t kSqlStateSize = 5;

// A column of a text result set: a string of any length in UTF-8.
constexpr std::uint8_t kTypeVarString = 0xfd;
constexpr std::uint8_t kColumnFixedFields = 0x0c;
constexpr std::uint32_t kColumnLength = 1024;

Payload build_column(const std::string& name) {
  return Writer()
      .lenenc_text("def")
      .lenenc_text("")  // schema
      .lenenc_text("")  // table
      .lenenc_text("")  // its original name
      .lenenc_text(name)
      .lenenc_text("")  // the column's original name
      .number(kColumnFixedFields)
      .number(std::uint16_t{kCharsetUtf8})
      .number(kColumnLength)
      .number(kTypeVarString)
      .number(std::uint16_t{0})  // flags
      .number(std::uint8_t{0})   // decimals
      .zeros(2)
      .take();
}

}  // namespace

Payload build_handshake(const Handshake& handshake) {
  const ConstBytes challenge = handshake.challenge;
  return Writer()
      .number(kProtocolVersion)
      .text_and_zero(handshake.server_version)
      .number(handshake.connection_id)
      .bytes(challenge.first(kChallengeFirstPiece))
      .zeros(1)
      .number(static_cast<std::uint16_t>(handshake.capabilities))
      .number(handshake.charset)
      .number(handshake.status)
      .number(static_cast<std::uint16_t>(handshake.capabilities >> 16))
      .number(static_cast<std::uint8_t>(kChallengeSize + 1))
      .zeros(kReservedInGreeting)
      .bytes(challenge.subspan(kChallengeFirstPiece))
      .zeros(1)
      .text_and_zero(handshake.plugin)
      .take();
}

std::optional<Handshake> parse_handshake(ConstBytes payload) {
  Reader reader(payload);
  if (reader.number<std::uint8_t>() != kProtocolVersion) return std::nullopt;
  Handshake handshake;
  handshake.server_version = reader.text_to_zero();
  handshake.connection_id = reader.number<std::uint32_t>();
  const ConstBytes first = reader.bytes(kChallengeFirstPiece);
  reader.bytes(1);
  handshake.capabilities = reader.number<std::uint16_t>();
  handshake.charset = reader.number<std::uint8_t>();
  handshake.status = reader.number<std::uint16_t>();
  handshake.capabilities |= std::uint32_t{reader.number<std::uint16_t>()} << 16;
  reader.number<std::uint8_t>();  // the challenge's length: other lengths fail just below
  reader.bytes(kReservedInGreeting);
  const ConstBytes second = reader.bytes(kChallengeSize - kChallengeFirstPiece);
  reader.bytes(1);
  if (reader.failed()) return std::nullopt;
  const auto middle = std::copy(first.begin(), first.end(), handshake.challenge.begin());
  std::copy(second.begin(), second.end(), middle);
  if ((handshake.capabilities & kClientPluginAuth) != 0) {
    handshake.plugin = reader.text_to_zero();
    if (reader.failed()) return std::nullopt;
  }
  return handshake;
}

Payload build_handshake_response(const HandshakeResponse& response) {
  Writer writer;
  writer.number(response.capabilities)
      .number(response.max_packet)
      .number(response.charset)
      .zeros(kReservedInResponse)
      .text_and_zero(response.user);
  const std::string token = to_text(response.token);
  if ((response.capabilities & kClientPluginAuthLenenc) != 0) {
    writer.lenenc_text(token);
  } else {
    BL_ASSERT(token.size() <= 0xff);
    writer.number(static_cast<std::uint8_t>(token.size())).text(token);
  }
  if ((response.capabilities & kClientConnectWithDb) != 0) writer.text_and_zero(response.database);
  if ((response.capabilities & kClientPluginAuth) != 0) writer.text_and_zero(response.plugin);
  return writer.take();
}

std::optional<HandshakeResponse> parse_handshake_response(ConstBytes payload) {
  Reader reader(payload);
  HandshakeResponse response;
  response.capabilities = reader.number<std::uint32_t>();
  // Older layouts are not spoken, and there is no TLS to switch to.
  if ((response.capabilities & kClientProtocol41) == 0) return std::nullopt;
  if ((response.capabilities & kClientSsl) != 0) return std::nullopt;
  response.max_packet = reader.number<std::uint32_t>();
  response.charset = reader.number<std::uint8_t>();
  reader.bytes(kReservedInResponse);
  response.user = reader.text_to_zero();
  // Longer than any name: no user has this name, and no answer may repeat it.
  if (response.user.size() > kMaxName) response.user = shown(response.user, kMaxName);
  ConstBytes token;
  if ((response.capabilities & kClientPluginAuthLenenc) != 0) {
    token = reader.lenenc_bytes();
  } else if ((response.capabilities & kClientSecureConnection) != 0) {
    const auto length = reader.number<std::uint8_t>();
    token = reader.bytes(length);
  } else {
    return std::nullopt;
  }
  response.token.assign(token.begin(), token.end());
  if ((response.capabilities & kClientConnectWithDb) != 0 && !reader.rest().empty()) {
    response.database = reader.text_to_zero();
  }
  if ((response.capabilities & kClientPluginAuth) != 0 && !reader.rest().empty()) {
    response.plugin = reader.text_to_zero();
  }
  // Connection attributes may follow; nothing here depends on them.
  if (reader.failed()) return std::nullopt;
  return response;
}

Payload build_auth_switch(std::string_view plugin, ConstBytes challenge) {
  return Writer().number(kEofByte).text_and_zero(plugin).bytes(challenge).zeros(1).take();
}

Payload build_ok() {
  return Writer()
      .number(kOkByte)
      .lenenc_number(0)  // affected rows
      .lenenc_number(0)  // last insert id
      .number(kStatusAutocommit)
      .number(std::uint16_t{0})  // warnings
      .take();
}

Payload build_eof() {
  return Writer()
      .number(kEofByte)
      .number(std::uint16_t{0})  // warnings
      .number(kStatusAutocommit)
      .take();
}

Payload build_error(const ErrorPacket& error) {
  BL_ASSERT(error.state.size() == kSqlStateSize);
  return Writer()
      .number(kErrorByte)
      .number(error.code)
      .text("#")
      .text(error.state)
      .text(error.message)
      .take();
}

std::optional<ErrorPacket> parse_error(ConstBytes payload) {
  Reader reader(payload);
  if (reader.number<std::uint8_t>() != kErrorByte) return std::nullopt;
  ErrorPacket error;
  error.code = reader.number<std::uint16_t>();
  // Errors of the greeting come without a state.
  if (!reader.rest().empty() && reader.rest()[0] == std::byte{'#'}) {
    reader.bytes(1);
    error.state = to_text(reader.bytes(kSqlStateSize));
  }
  error.message = to_text(reader.rest());
  if (reader.failed()) return std::nullopt;
  return error;
}

std::vector<Payload> build_result_set(std::span<const std::string> columns,
                                      std::span<const Row> rows) {
  std::vector<Payload> packets;
  packets.push_back(Writer().lenenc_number(columns.size()).take());
  for (const std::string& column : columns) packets.push_back(build_column(column));
  packets.push_back(build_eof());
  for (const Row& row : rows) {
    BL_ASSERT(row.size() == columns.size());
    Writer writer;
    for (const auto& cell : row) {
      if (cell) {
        writer.lenenc_text(*cell);
      } else {
        writer.null();
      }
    }
    packets.push_back(writer.take());
  }
  packets.push_back(build_eof());
  return packets;
}

std::optional<BinlogDump> parse_binlog_dump(ConstBytes body) {
  Reader reader(body);
  BinlogDump dump;
  dump.position = reader.number<std::uint32_t>();
  dump.flags = reader.number<std::uint16_t>();
  dump.server_id = reader.number<std::uint32_t>();
  if (reader.failed()) return std::nullopt;
  dump.file = to_text(reader.rest());
  // Some readers end the name with a zero, as in C; a server reads it as C does.
  dump.file.resize(std::min(dump.file.size(), dump.file.find('\0')));
  return dump;
}

Payload build_binlog_dump(const BinlogDump& dump) {
  BL_ASSERT(dump.position <= std::numeric_limits<std::uint32_t>::max());
  return Writer()
      .number(static_cast<std::uint8_t>(Command::binlog_dump))
      .number(static_cast<std::uint32_t>(dump.position))
      .number(dump.flags)
      .number(dump.server_id)
      .text(dump.file)
      .take();
}

std::optional<BinlogDumpGtid> parse_binlog_dump_gtid(ConstBytes body) {
  Reader reader(body);
  BinlogDumpGtid request;
  BinlogDump& dump = request.dump;
  dump.flags = reader.number<std::uint16_t>();
  dump.server_id = reader.number<std::uint32_t>();
  const auto name_size = reader.number<std::uint32_t>();
  dump.file = to_text(reader.bytes(name_size));
  dump.file.resize(std::min(dump.file.size(), dump.file.find('\0')));
  dump.position = reader.number<std::uint64_t>();
  const auto set_size = reader.number<std::uint32_t>();
  const ConstBytes set = reader.bytes(set_size);
  request.set.assign(set.begin(), set.end());
  if (reader.failed()) return std::nullopt;
  return request;
}

Payload build_binlog_dump_gtid(const BinlogDumpGtid& request) {
  const BinlogDump& dump = request.dump;
  return Writer()
      .number(static_cast<std::uint8_t>(Command::binlog_dump_gtid))
      .number(dump.flags)
      .number(dump.server_id)
      .number(static_cast<std::uint32_t>(dump.file.size()))
      .text(dump.file)
      .number(dump.position)
      .number(static_cast<std::uint32_t>(request.set.size()))
      .bytes(request.set)
      .take();
}

std::optional<RegisterSlave> parse_register_slave(ConstBytes body) {
  Reader reader(body);
  RegisterSlave request;
  request.server_id = reader.number<std::uint32_t>();
  const auto text = [&reader] {
    const auto length = reader.number<std::uint8_t>();
    return to_text(reader.bytes(length));
  };
  request.host = text();
  request.user = text();
  text();  // the password it reports, of no use
  request.port = reader.number<std::uint16_t>();
  reader.number<std::uint32_t>();  // rank
  reader.number<std::uint32_t>();  // its source's id
  if (reader.failed()) return std::nullopt;
  return request;
}

}  // namespace binlane::mysql
