#include "shim/mysql_packet.h"

#include <algorithm>

#include "base/assert.h"

namespace binlane::mysql {
namespace {

constexpr std::uint8_t kProtocolVersion = 10;
// The greeting carries the challenge in two pieces.
constexpr std::size_t kChallengeFirstPiece = 8;
constexpr std::size_t kReservedInGreeting = 10;
constexpr std::size_t kReservedInResponse = 23;
constexpr std::size_t kSqlStateSize = 5;

// First bytes of length-encoded numbers; smaller ones are the number itself.
constexpr std::uint8_t kLenencNull = 0xfb;
constexpr std::uint8_t kLenenc2 = 0xfc;
constexpr std::uint8_t kLenenc3 = 0xfd;
constexpr std::uint8_t kLenenc8 = 0xfe;

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

ConstBytes Reader::bytes(std::size_t count) {
  if (failed_ || count > rest_.size()) {
    failed_ = true;
    return {};
  }
  const ConstBytes taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

std::string Reader::text_to_zero() {
  const auto end = std::find(rest_.begin(), rest_.end(), std::byte{0});
  if (failed_ || end == rest_.end()) {
    failed_ = true;
    return {};
  }
  std::string text = to_text(bytes(static_cast<std::size_t>(end - rest_.begin())));
  bytes(1);
  return text;
}

std::uint64_t Reader::lenenc_number() {
  const auto first = number<std::uint8_t>();
  switch (first) {
    case kLenenc2:
      return number<std::uint16_t>();
    case kLenenc3: {
      const std::uint64_t low = number<std::uint16_t>();
      return low | std::uint64_t{number<std::uint8_t>()} << 16;
    }
    case kLenenc8:
      return number<std::uint64_t>();
    case kLenencNull:
    case kErrorByte:
      failed_ = true;
      return 0;
    default:
      return first;
  }
}

ConstBytes Reader::lenenc_bytes() {
  const std::uint64_t length = lenenc_number();
  return bytes(length);
}

std::optional<std::string> Reader::lenenc_text_or_null() {
  if (!failed_ && !rest_.empty() && static_cast<std::uint8_t>(rest_[0]) == kLenencNull) {
    bytes(1);
    return std::nullopt;
  }
  return to_text(lenenc_bytes());
}

Writer& Writer::bytes(ConstBytes bytes) {
  payload_.insert(payload_.end(), bytes.begin(), bytes.end());
  return *this;
}

Writer& Writer::text(std::string_view text) {
  return bytes(as_bytes(text));
}

Writer& Writer::text_and_zero(std::string_view text) {
  return this->text(text).zeros(1);
}

Writer& Writer::zeros(std::size_t count) {
  payload_.resize(payload_.size() + count);
  return *this;
}

Writer& Writer::lenenc_number(std::uint64_t value) {
  if (value < kLenencNull) return number(static_cast<std::uint8_t>(value));
  if (value <= 0xffff) return number(kLenenc2).number(static_cast<std::uint16_t>(value));
  if (value <= 0xffffff) {
    return number(kLenenc3)
        .number(static_cast<std::uint16_t>(value))
        .number(static_cast<std::uint8_t>(value >> 16));
  }
  return number(kLenenc8).number(value);
}

Writer& Writer::lenenc_text(std::string_view text) {
  return lenenc_number(text.size()).text(text);
}

std::string shown(std::string_view text, std::size_t length) {
  std::string result(text.substr(0, length));
  for (char& c : result) {
    // The rest may be a control character, or half a character where the text was cut.
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) c = '?';
  }
  if (text.size() > length) result += "...";
  return result;
}

std::string to_text(ConstBytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

ConstBytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

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
  // Longer than any name: nobody is called so, and no answer shall repeat it.
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
        writer.number(kLenencNull);
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
  // Some readers end the name with a zero, as C does; a server reads it as C does.
  dump.file.resize(std::min(dump.file.size(), dump.file.find('\0')));
  return dump;
}

Payload build_binlog_dump(const BinlogDump& dump) {
  return Writer()
      .number(static_cast<std::uint8_t>(Command::binlog_dump))
      .number(dump.position)
      .number(dump.flags)
      .number(dump.server_id)
      .text(dump.file)
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

std::array<std::byte, kFrameHeaderSize> frame_header(std::size_t length, std::uint8_t sequence) {
  BL_ASSERT(length <= kMaxFrame);
  std::array<std::byte, kFrameHeaderSize> header;
  store_le(header.data(), static_cast<std::uint32_t>(length) | std::uint32_t{sequence} << 24);
  return header;
}

void append_framed(Payload& out, ConstBytes payload, std::uint8_t& sequence) {
  for (;;) {
    const std::size_t length = std::min(payload.size(), kMaxFrame);
    const auto header = frame_header(length, sequence++);
    out.insert(out.end(), header.begin(), header.end());
    out.insert(out.end(), payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(length));
    // A payload of a whole number of full frames ends with an empty one.
    if (length < kMaxFrame) return;
    payload = payload.subspan(length);
  }
}

std::size_t Deframer::consume(ConstBytes bytes) {
  std::size_t used = 0;
  while (state_ == State::incomplete && used < bytes.size()) {
    const ConstBytes rest = bytes.subspan(used);
    if (header_filled_ < kFrameHeaderSize) {
      const std::size_t count = std::min(rest.size(), kFrameHeaderSize - header_filled_);
      std::copy_n(rest.begin(), count,
                  header_.begin() + static_cast<std::ptrdiff_t>(header_filled_));
      header_filled_ += count;
      used += count;
      if (header_filled_ < kFrameHeaderSize) break;
      on_header();
    } else {
      const std::size_t count = std::min(rest.size(), frame_left_);
      payload_.insert(payload_.end(), rest.begin(),
                      rest.begin() + static_cast<std::ptrdiff_t>(count));
      frame_left_ -= count;
      used += count;
    }
    if (state_ == State::incomplete && frame_left_ == 0) {
      header_filled_ = 0;
      if (last_frame_) state_ = State::complete;
    }
  }
  return used;
}

void Deframer::on_header() {
  const auto word = load_le<std::uint32_t>(header_.data());
  const std::size_t length = word & kMaxFrame;
  if (static_cast<std::uint8_t>(word >> 24) != sequence_) {
    state_ = State::out_of_sequence;
  } else if (length > max_payload_ - payload_.size()) {
    state_ = State::too_long;
  } else {
    ++sequence_;
    frame_left_ = length;
    last_frame_ = length < kMaxFrame;
  }
}

Payload Deframer::take() {
  BL_ASSERT(state_ == State::complete);
  state_ = State::incomplete;
  Payload payload;
  payload.swap(payload_);
  return payload;
}

}  // namespace binlane::mysql
