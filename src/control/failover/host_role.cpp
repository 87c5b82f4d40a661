#include "control/failover/host_role.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mutant.h"
#include "storage/durable_record.h"

namespace binlane {
namespace {

using nlohmann::json;

// Version 1 knew neither cuts nor rejoins in progress.
constexpr int kVersion = 2;
constexpr int kOldestVersion = 1;
constexpr HostRole kRoles[] = {HostRole::source, HostRole::standby, HostRole::fenced};

json encode(const Position& position) {
  return {position.file, position.offset};
}
Position decode_position(const json& value) {
  return {value.at(0).get<std::uint32_t>(), value.at(1).get<std::uint64_t>()};
}
json encode(const Uuid& uuid) {
  return uuid.bytes;
}
Uuid decode_uuid(const json& value) {
  return {value.get<std::array<std::uint8_t, 16>>()};
}

std::string encode(const RoleState& state) {
  const PromotionRecord& promotion = state.promotion;
  return json{{"version", kVersion},
              {"host_id", encode(state.host_id)},
              {"role", to_string(state.role)},
              {"fenced_by", state.fenced_by},
              {"fence_reason", state.fence_reason},
              {"step", static_cast<int>(promotion.step)},
              {"term", promotion.term},
              {"old_origin", encode(promotion.old_stream.origin)},
              {"old_term", promotion.old_stream.term},
              {"old_basename", promotion.old_stream.basename},
              {"sealed_at", encode(promotion.sealed_at)},
              {"sealed_digest", promotion.sealed_digest},
              {"gtid", promotion.gtid},
              {"rule", state.rule},
              {"binlog_index", state.binlog_index},
              {"binlog_base", state.binlog_base},
              {"cut_at", encode(state.cut.at)},
              {"cut_last", state.cut.last},
              {"rejoining", state.rejoining},
              {"new_origin", encode(promotion.new_origin)},
              {"new_start", encode(promotion.new_start)}}
      // A path that is no UTF-8 is recorded with its odd bytes replaced; its user then reports that
      // there is no such file.
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

HostRole decode_role(const std::string& text) {
  for (const HostRole role : kRoles) {
    if (text == to_string(role)) return role;
  }
  throw StartupError("unknown role " + text);
}

RoleState decode(ConstBytes bytes) {
  const json value = json::parse(bytes);
  const int version = value.at("version").get<int>();
  if (version < kOldestVersion || version > kVersion) throw StartupError("another version");
  const int step = value.at("step").get<int>();
  if (step < 0 || step >= kPromotionSteps) throw StartupError("unknown step of a promotion");
  RoleState state;
  state.host_id = decode_uuid(value.at("host_id"));
  state.role = decode_role(value.at("role"));
  state.fenced_by = value.at("fenced_by").get<std::uint32_t>();
  // Records from before `binlane fence` existed have none.
  state.fence_reason = value.value("fence_reason", std::string());
  PromotionRecord& promotion = state.promotion;
  promotion.step = static_cast<PromotionStep>(step);
  promotion.term = value.at("term").get<std::uint32_t>();
  promotion.old_stream = {decode_uuid(value.at("old_origin")),
                          value.at("old_term").get<std::uint32_t>(),
                          value.at("old_basename").get<std::string>()};
  promotion.sealed_at = decode_position(value.at("sealed_at"));
  promotion.sealed_digest = value.at("sealed_digest").get<std::uint32_t>();
  promotion.gtid = value.at("gtid").get<std::string>();
  state.rule = value.at("rule").get<std::string>();
  state.binlog_index = value.at("binlog_index").get<std::string>();
  state.binlog_base = value.at("binlog_base").get<std::string>();
  promotion.new_origin = decode_uuid(value.at("new_origin"));
  promotion.new_start = decode_position(value.at("new_start"));
  if (version == kOldestVersion) return state;
  state.cut = {decode_position(value.at("cut_at")), value.at("cut_last").get<std::uint32_t>()};
  state.rejoining = value.at("rejoining").get<bool>();
  return state;
}

}  // namespace

const char* to_string(HostRole role) noexcept {
  switch (role) {
    case HostRole::source:
      return "SOURCE";
    case HostRole::standby:
      return "STANDBY";
    case HostRole::fenced:
      return "FENCED";
  }
  return "?";
}

std::string shown_gtids(const std::string& text) {
  constexpr std::size_t kShown = 1000;
  if (text.size() <= kShown) return text;
  // Between two numbers, not within one.
  const std::size_t end = text.find_last_of(",:", kShown);
  BL_ASSERT(end != std::string::npos);
  return fmt::format("{} … ({} characters in all)", text.substr(0, end), text.size());
}

RoleMedium RoleMedium::file(std::string path) {
  auto record = std::make_shared<DurableRecord>(path);
  return {std::move(path), [record] { return record->load(); },
          [record](ConstBytes bytes) { return record->store_again(bytes); }};
}

RoleFile::RoleFile(RoleMedium medium, HostRole first) : medium_(std::move(medium)) {
  const auto payload = medium_.load();
  if (!payload) {
    RoleState state;
    state.host_id = Uuid::random();
    state.role = first;
    if (const int error = store(state); error != 0)
      throw StartupError(fmt::format("{}: {}", medium_.path, errno_text(error)));
    return;
  }
  try {
    state_ = decode(*payload);
  } catch (const std::exception& error) {
    throw StartupError(fmt::format("{}: this version cannot read the host's role in it: {}",
                                   medium_.path, error.what()));
  }
}

int RoleFile::write(const RoleState& state) {
  BL_ASSERT(!state.host_id.is_null());
  const std::string text = encode(state);
  error_ = text.size() > DurableRecord::kMaxPayloadSize
               ? E2BIG
               : medium_.store(std::as_bytes(std::span(text)));
  return error_;
}

int RoleFile::store(const RoleState& state) {
  if (state == state_ && on_record_) return 0;
  const int error = write(state);
  if (BL_MUTANT(role_in_force_unstored, false, error != 0)) return error;
  state_ = state;
  on_record_ = true;
  return 0;
}

void RoleFile::hold(const RoleState& state) {
  if (state == state_) return;
  state_ = state;
  on_record_ = false;
}

int RoleFile::put_on_record() {
  if (on_record_) return 0;
  on_record_ = write(state_) == 0;
  return error_;
}

}  // namespace binlane
