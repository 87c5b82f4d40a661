#include "control/exposure/ledger_line.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32c.h"

namespace binlane {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kCrcMember = ",\"crc32c\":\"";
constexpr std::size_t kCrcDigits = 8;
constexpr std::string_view kLineEnd = "\"}";
constexpr std::size_t kTailLength = kCrcMember.size() + kCrcDigits + kLineEnd.size();

std::uint32_t crc_of(std::string_view text) {
  return crc32c(0, std::as_bytes(std::span(text)));
}

Json to_json(const Position& position) {
  return {{"file", position.file}, {"offset", position.offset}};
}

void put_cause(Json& json, const ExposureCause& cause) {
  json["kind"] = to_string(cause.kind);
  json["reason"] = cause.reason;
  json["at"] = cause.at;
}

// Reads members of one line's object; ok() becomes false at the first that is missing or of another
// type.
class Members {
 public:
  explicit Members(const Json& json) : json_(json) {}

  bool ok() const noexcept { return ok_; }

  std::uint64_t number(const char* name) { return number_in(json_, name); }

  std::string text(const char* name) {
    const auto found = json_.find(name);
    if (found == json_.end() || !found->is_string()) return ok_ = false, std::string();
    return found->get<std::string>();
  }

  // Null if there is none: lines of older files.
  Uuid uuid_if_any(const char* name) {
    if (!json_.contains(name)) return Uuid{};
    const auto uuid = parse_uuid(text(name));
    if (!uuid) ok_ = false;
    return uuid.value_or(Uuid{});
  }

  // False if there is none: lines of older files.
  bool flag_if_any(const char* name) {
    const auto found = json_.find(name);
    if (found == json_.end()) return false;
    if (!found->is_boolean()) return ok_ = false;
    return found->get<bool>();
  }

  Position position(const char* name) {
    const auto found = json_.find(name);
    if (found == json_.end() || !found->is_object()) return ok_ = false, Position{};
    const std::uint64_t file = number_in(*found, "file");
    if (file > UINT32_MAX) ok_ = false;
    return {static_cast<std::uint32_t>(file), number_in(*found, "offset")};
  }

  // "term.incarnation".
  Epoch epoch(const char* name) {
    const std::string value = text(name);
    const char* const end = value.data() + value.size();
    Epoch epoch;
    const auto term = std::from_chars(value.data(), end, epoch.term);
    if (term.ec != std::errc{} || term.ptr == end || *term.ptr != '.') return ok_ = false, epoch;
    const auto incarnation = std::from_chars(term.ptr + 1, end, epoch.incarnation);
    if (incarnation.ec != std::errc{} || incarnation.ptr != end) ok_ = false;
    return epoch;
  }

  ExposureCause cause() {
    ExposureCause cause;
    const std::string kind = text("kind");
    if (kind == to_string(ExposureKind::own)) {
      cause.kind = ExposureKind::own;
    } else if (kind == to_string(ExposureKind::server_side)) {
      cause.kind = ExposureKind::server_side;
    } else {
      ok_ = false;
    }
    cause.reason = text("reason");
    cause.at = text("at");
    return cause;
  }

 private:
  std::uint64_t number_in(const Json& json, const char* name) {
    const auto found = json.find(name);
    if (found == json.end() || !found->is_number_unsigned()) return ok_ = false, 0;
    return found->get<std::uint64_t>();
  }

  const Json& json_;
  bool ok_ = true;
};

}  // namespace

std::string encode_ledger_line(std::uint64_t number, const LedgerRecord& record) {
  Json json;
  json["line"] = number;
  std::visit(
      [&json](const auto& value) {
        using Record = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<Record, LedgerHeader>) {
          json["type"] = "ledger";
          json["version"] = value.version;
        } else if constexpr (std::is_same_v<Record, LedgerOpen>) {
          json["type"] = "open";
          json["id"] = value.id;
          json["epoch"] = epoch_text(value.epoch);
          json["from"] = to_json(value.from);
          put_cause(json, value.cause);
          if (!value.stream.is_null()) json["stream"] = to_string(value.stream);
        } else if constexpr (std::is_same_v<Record, LedgerCause>) {
          json["type"] = "cause";
          json["id"] = value.id;
          put_cause(json, value.cause);
        } else if constexpr (std::is_same_v<Record, LedgerAck>) {
          json["type"] = "ack";
          json["id"] = value.id;
          json["by"] = value.by;
          json["at"] = value.at;
        } else {
          static_assert(std::is_same_v<Record, LedgerClose>);
          json["type"] = "close";
          json["id"] = value.id;
          json["to"] = to_json(value.to);
          json["groups"] = value.groups;
          if (value.counted) json["counted"] = true;
          if (value.uncountable) json["uncountable"] = true;
          json["at"] = value.at;
        }
      },
      record);
  std::string line = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  BL_ASSERT(line.back() == '}');
  line.pop_back();
  const std::uint32_t crc = crc_of(line);
  line += fmt::format("{}{:08x}{}\n", kCrcMember, crc, kLineEnd);
  return line;
}

std::variant<LedgerRecord, std::string> decode_ledger_line(std::uint64_t number,
                                                           std::string_view line) {
  if (line.size() <= kTailLength) return "too short";
  const std::string_view body = line.substr(0, line.size() - kTailLength);
  const std::string_view tail = line.substr(line.size() - kTailLength);
  if (tail != fmt::format("{}{:08x}{}", kCrcMember, crc_of(body), kLineEnd))
    return "its checksum does not match";
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return "is not a JSON object";
  Members members(json);
  const std::uint64_t found_number = members.number("line");
  const std::string type = members.text("type");
  if (!members.ok()) return "has no line number or type";
  if (found_number != number)
    return fmt::format("is numbered {}: lines are missing or out of order", found_number);
  LedgerRecord record;
  if (type == "ledger") {
    record = LedgerHeader{members.number("version")};
  } else if (type == "open") {
    record = LedgerOpen{members.number("id"), members.epoch("epoch"), members.position("from"),
                        members.cause(), members.uuid_if_any("stream")};
  } else if (type == "cause") {
    record = LedgerCause{members.number("id"), members.cause()};
  } else if (type == "close") {
    record = LedgerClose{members.number("id"),           members.position("to"),
                         members.number("groups"),       members.text("at"),
                         members.flag_if_any("counted"), members.flag_if_any("uncountable")};
  } else if (type == "ack") {
    record = LedgerAck{members.number("id"), members.text("by"), members.text("at")};
  } else {
    return fmt::format("is of the unknown type '{}'", type);
  }
  if (!members.ok()) return fmt::format("lacks something a line of type '{}' has", type);
  return record;
}

const char* to_string(ExposureKind kind) noexcept {
  return kind == ExposureKind::own ? "own" : "server_side";
}

}  // namespace binlane
