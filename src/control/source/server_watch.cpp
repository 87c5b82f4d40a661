#include "control/source/server_watch.h"

#include <fmt/format.h>

#include <utility>

#include "base/mutant.h"

namespace binlane {
namespace {

constexpr std::size_t index_of(ServerSetting setting) {
  return static_cast<std::size_t>(setting);
}

// Whether it is a setting that Binlane sets. The others show a fault elsewhere.
constexpr bool is_ours(ServerSetting setting) {
  return setting != ServerSetting::clients;
}

std::string difference(ServerSetting setting, const ServerWishes& wishes,
                       const SemiSyncStatus& seen, const SemiSyncNames& names) {
  switch (setting) {
    case ServerSetting::timeout:
      if (BL_MUTANT(server_not_read_back, true, seen.timeout_ms == wishes.timeout_ms)) return {};
      return fmt::format("{} is {} ms at the server, but Binlane has set {} ms", names.timeout,
                         seen.timeout_ms, wishes.timeout_ms);
    case ServerSetting::wait_point:
      if (seen.wait_point == wishes.wait_point) return {};
      return fmt::format("{} is {} at the server, but Binlane has set {}", names.wait_point,
                         to_sql(seen.wait_point), to_sql(wishes.wait_point));
    case ServerSetting::wait_no_replica:
      if (seen.wait_no_replica) return {};
      return fmt::format("{} is OFF at the server, but Binlane has set ON", names.wait_no_replica);
    case ServerSetting::read_only:
      if (seen.read_only || !wishes.read_only) return {};
      return "the server takes writes, although Binlane has asked for read_only (mode fail)";
    case ServerSetting::clients:
      if (seen.clients > 0 || !wishes.registered) return {};
      return fmt::format(
          "the server counts no semi-sync client ({} is 0), although our dump connection is open",
          names.clients);
  }
  return {};
}

}  // namespace

std::vector<ServerWatch::Change> ServerWatch::observe(const ServerWishes& wishes,
                                                      const SemiSyncStatus& seen,
                                                      const SemiSyncNames& names) {
  std::vector<Change> changes;
  for (std::size_t i = 0; i < kServerSettings; ++i) {
    const auto setting = static_cast<ServerSetting>(i);
    State& state = states_[i];
    std::string text = difference(setting, wishes, seen, names);
    if (text.empty()) {
      if (!state.text.empty()) changes.push_back({setting, false, std::move(state.text)});
      state = {0, {}, {}, state.tried_ns};
      continue;
    }
    ++state.looks;
    if (!is_ours(setting) && state.looks < kSettledLooks) continue;
    if (text != state.text) changes.push_back({setting, true, text});
    state.text = std::move(text);
  }
  return changes;
}

std::optional<ServerSetting> ServerWatch::due(std::uint64_t now_ns) const noexcept {
  for (std::size_t i = 0; i < kServerSettings; ++i) {
    const auto setting = static_cast<ServerSetting>(i);
    const State& state = states_[i];
    if (state.text.empty() || !is_ours(setting)) continue;
    if (state.tried_ns == 0 || now_ns >= state.tried_ns + kMendNs) return setting;
  }
  return std::nullopt;
}

bool ServerWatch::mended(ServerSetting setting, std::string failure, std::uint64_t now_ns) {
  State& state = states_[index_of(setting)];
  state.tried_ns = now_ns;
  const bool news = !failure.empty() && failure != state.mend_failure;
  if (failure.empty()) ++times_mended_;
  state.mend_failure = std::move(failure);
  return news;
}

std::string ServerWatch::sentence(const State& state) const {
  if (state.text.empty() || state.mend_failure.empty()) return state.text;
  return fmt::format("{}; Binlane cannot set it again: {}", state.text, state.mend_failure);
}

std::vector<std::string> ServerWatch::differences() const {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < kServerSettings; ++i) {
    if (static_cast<ServerSetting>(i) == ServerSetting::read_only) continue;
    if (std::string text = sentence(states_[i]); !text.empty()) all.push_back(std::move(text));
  }
  return all;
}

std::string ServerWatch::read_only_problem() const {
  return sentence(states_[index_of(ServerSetting::read_only)]);
}

}  // namespace binlane
