// The packets of the MySQL client/server protocol, both roles, as far as replication needs them.
//
// Pure functions and classes over bytes: no sockets, no clocks. Everything parsed here may come
// from a stranger, so every read is checked against the end and a short or impossible packet is an
// empty optional, never a read outside. A *payload* is a packet without its framing; framing splits
// a payload into frames of at most kMaxFrame bytes, each with 3 bytes of length and a sequence
// number.
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

namespace binlane::mysql {

using Payload = std::vector<std::byte>;

inline constexpr std::size_t kFrameHeaderSize = 4;
// A frame of this length says that the packet goes on in the next one.
inline constexpr std::size_t kMaxFrame = 0xffffff;
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
  reset_connection = 0x1f,
};

// Reads a payload from front to back. A read past the end gives zeros or nothing, and failed()
// stays true from then on: callers read all the fields they want and ask once.
class Reader {
 public:
  explicit Reader(ConstBytes bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T number() {
    const ConstBytes taken = bytes(sizeof(T));
    return taken.size() == sizeof(T) ? load_le<T>(taken.data()) : T{0};
  }
  ConstBytes bytes(std::size_t count);
  // Up to a zero byte, which is taken too.
  std::string text_to_zero();
  // A length-encoded number; NULL counts as failure.
  std::uint64_t lenenc_number();
  // Bytes behind a length-encoded length.
  ConstBytes lenenc_bytes();
  // The same as text, or nothing for NULL.
  std::optional<std::string> lenenc_text_or_null();
  ConstBytes rest() const { return rest_; }
  bool failed() const { return failed_; }

 private:
  ConstBytes rest_;
  bool failed_ = false;
};

// Appends fields to a payload.
class Writer {
 public:
  template <std::unsigned_integral T>
  Writer& number(T value) {
    const std::size_t at = payload_.size();
    payload_.resize(at + sizeof(T));
    store_le(payload_.data() + at, value);
    return *this;
  }
  Writer& bytes(ConstBytes bytes);
  Writer& text(std::string_view text);
  Writer& text_and_zero(std::string_view text);
  Writer& zeros(std::size_t count);
  Writer& lenenc_number(std::uint64_t value);
  Writer& lenenc_text(std::string_view text);
  Payload take() { return std::move(payload_); }

 private:
  Payload payload_;
};

std::string to_text(ConstBytes bytes);
ConstBytes as_bytes(std::string_view text);

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

// The longest name of a user, database or plugin that is kept of what a client says of itself; of a
// longer one, its beginning. Real names are shorter: MariaDB's users have 80 characters.
inline constexpr std::size_t kMaxName = 80;
// A stranger's text, fit to be shown, logged and sent on: its first `length` bytes, in which only
// printable ASCII stands as it is.
std::string shown(std::string_view text, std::size_t length);

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

// COM_BINLOG_DUMP's flags.
inline constexpr std::uint16_t kDumpNonBlock = 0x1;
inline constexpr std::uint16_t kDumpAnnotateRows = 0x2;

// The commands' fields, behind the command byte.
struct BinlogDump {
  std::uint32_t position = 0;
  std::uint16_t flags = 0;
  std::uint32_t server_id = 0;
  std::string file;
};
std::optional<BinlogDump> parse_binlog_dump(ConstBytes body);
Payload build_binlog_dump(const BinlogDump& dump);  // with the command byte

struct RegisterSlave {
  std::uint32_t server_id = 0;
  std::string host;
  std::string user;
  std::uint16_t port = 0;
};
std::optional<RegisterSlave> parse_register_slave(ConstBytes body);

// A frame's header for `length` payload bytes.
std::array<std::byte, kFrameHeaderSize> frame_header(std::size_t length, std::uint8_t sequence);

// Frames one payload, however long; `sequence` is that of its first frame, and becomes the next
// one.
void append_framed(Payload& out, ConstBytes payload, std::uint8_t& sequence);

// Puts payloads together from a stream of bytes cut anywhere.
class Deframer {
 public:
  enum class State : std::uint8_t { incomplete, complete, too_long, out_of_sequence };

  explicit Deframer(std::size_t max_payload) : max_payload_(max_payload) {}

  // Of the packets that begin from here on.
  void set_max_payload(std::size_t max_payload) { max_payload_ = max_payload; }
  // The sequence number that the next frame must carry.
  void expect_sequence(std::uint8_t sequence) { sequence_ = sequence; }
  // That of the frame behind the last one: what an answer's first frame carries.
  std::uint8_t next_sequence() const { return sequence_; }

  // Takes bytes up to the end of the payload; returns how many. Takes none unless incomplete.
  std::size_t consume(ConstBytes bytes);
  State state() const { return state_; }
  // The payload, once complete; begins the next one.
  Payload take();

 private:
  void on_header();

  std::size_t max_payload_;
  std::uint8_t sequence_ = 0;
  State state_ = State::incomplete;
  std::array<std::byte, kFrameHeaderSize> header_{};
  std::size_t header_filled_ = 0;
  std::size_t frame_left_ = 0;
  bool last_frame_ = false;
  Payload payload_;
};

}  // namespace binlane::mysql
