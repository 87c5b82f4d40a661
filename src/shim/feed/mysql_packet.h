// The packets of the MySQL client/server protocol, both roles, as far as replication needs them.
//
// Pure functions and classes over bytes: no sockets, no clocks. Everything parsed here may come
// from a stranger. So every read is checked against the end, and a short or impossible packet gives
// an empty optional, never a read outside. A *payload* is a packet without its framing
// (mysql_frame.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "shim/feed/mysql_fields.h"

namespace binlane::mysql {

inline constexpr std::size_t kChallengeSize = 20;

inline constexpr std::string_view kNativePassword = "mysql_native_password";

// Capability flags that this code acts on.
inline constexpr std::uint32_t kClientLongPassword = 0x1;
inline constexpr std::uint32_t kClientLongFlag = 0x4;
inline constexpr std::uint32_t kClientConnectWithDb = 0x8;
inline constexpr std::uint32_t kClientProtocol41 = 0x200;
inline constexpr std::uint32_t kClientSsl = 0x800;
inline constexpr std::uint32_t kClientTransactions = 0x2000;
inline constexpr std::uint32_t kClientSecureConnection = 0x8000;
inline constexpr std::uint32_t kClientPluginAuth = 0x80000;
inline constexpr std::uint32_t kClientConnectAttributes = 0x100000;
inline constexpr std::uint32_t kClientPluginAuthLenenc = 0x200000;

inline constexpr std::uint16_t kStatusAutocommit = 0x2;
inline constexpr std::uint8_t kCharsetUtf8 = 33;

// The first byte of a payload.
inline constexpr std::uint8_t kOkByte = 0x00;
inline constexpr std::uint8_t kEofByte = 0xfe;
inline constexpr std::uint8_t kErrorByte = 0xff;

enum class Command : std::uint8_t {
  quit = 0x01,
  init_db = 0x02,
  query = 0x03,
  statistics = 0x09,
  ping = 0x0e,
  binlog_dump = 0x12,
  register_slave = 0x15,
  binlog_dump_gtid = 0x1e,  // MySQL's
  reset_connection = 0x1f,
};

// The server's greeting, protocol version 10.
struct Handshake {
  std::string server_version;
  std::uint32_t connection_id = 0;
  std::array<std::byte, kChallengeSize> challenge{};
  std::uint32_t capabilities = 0;
  std::uint8_t charset = kCharsetUtf8;
  std::uint16_t status = kStatusAutocommit;
  std::string plugin{kNativePassword};
};
Payload build_handshake(const Handshake& handshake);
std::optional<Handshake> parse_handshake(ConstBytes payload);

// How much is kept of a name of a user, database or plugin that a client sends; of a longer one,
// its beginning. Real names are shorter: MariaDB's users have 80 characters.
inline constexpr std::size_t kMaxName = 80;
// The client's answer to it.
struct HandshakeResponse {
  std::uint32_t capabilities = 0;
  std::uint32_t max_packet = 0;
  std::uint8_t charset = kCharsetUtf8;
  std::string user;
  Payload token;
  std::string database;
  std::string plugin;  // empty: the client did not name one
};
Payload build_handshake_response(const HandshakeResponse& response);
std::optional<HandshakeResponse> parse_handshake_response(ConstBytes payload);

// "Log in by `plugin` with this challenge instead"; the client answers with the bare token.
Payload build_auth_switch(std::string_view plugin, ConstBytes challenge);

Payload build_ok();
Payload build_eof();
struct ErrorPacket {
  std::uint16_t code = 0;
  std::string state = "HY000";  // five characters
  std::string message;
};
Payload build_error(const ErrorPacket& error);
std::optional<ErrorPacket> parse_error(ConstBytes payload);

// The packets of a text result set, in order: column count, columns, EOF, rows, EOF. A cell that is
// nullopt is NULL. Every row has as many cells as there are columns.
using Row = std::vector<std::optional<std::string>>;
std::vector<Payload> build_result_set(std::span<const std::string> columns,
                                      std::span<const Row> rows);

// The flags of a dump. The two servers have given one bit two meanings.
inline constexpr std::uint16_t kDumpNonBlock = 0x1;
inline constexpr std::uint16_t kDumpAnnotateRows = 0x2;  // MariaDB
inline constexpr std::uint16_t kDumpHeartbeatV2 = 0x2;   // MySQL

// The commands' fields, after the command byte.
struct BinlogDump {
  std::uint64_t position = 0;
  std::uint16_t flags = 0;
  std::uint32_t server_id = 0;
  std::string file;
};
// COM_BINLOG_DUMP, whose position has 32 bits.
std::optional<BinlogDump> parse_binlog_dump(ConstBytes body);
Payload build_binlog_dump(const BinlogDump& dump);  // with the command byte

// COM_BINLOG_DUMP_GTID: without a file name, the replica wants what its set lacks; with one, it
// wants what comes after that place and is not in its set.
struct BinlogDumpGtid {
  BinlogDump dump;
  Payload set;  // encoded as MysqlGtidSet::decode() takes it
};
std::optional<BinlogDumpGtid> parse_binlog_dump_gtid(ConstBytes body);
Payload build_binlog_dump_gtid(const BinlogDumpGtid& dump);  // with the command byte

struct RegisterSlave {
  std::uint32_t server_id = 0;
  std::string host;
  std::string user;
  std::uint16_t port = 0;
};
std::optional<RegisterSlave> parse_register_slave(ConstBytes body);

}  // namespace binlane::mysql
