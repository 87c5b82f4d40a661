#include "control/daemon/handlers_ledger.h"

#include <fmt/format.h>

#include <optional>

#include "shim/binlog/binlog_index.h"
#include "shim/binlog/gtid.h"
#include "shim/feed/binlog_groups.h"

namespace binlane {
namespace {

using nlohmann::json;

// How many groups of one interval are listed; the answer has to fit a line of the protocol.
constexpr std::size_t kMaxGroups = 20'000;

std::string place(const std::string& basename, const Position& position) {
  return fmt::format("{}:{}", binlog_file_name(basename, position.file), position.offset);
}

json interval_json(const LedgerInterval& interval, const std::string& basename) {
  json causes = json::array();
  for (const ExposureCause& cause : interval.causes)
    causes.push_back({{"kind", to_string(cause.kind)}, {"reason", cause.reason}, {"at", cause.at}});
  return {{"id", interval.id},
          {"epoch", epoch_text(interval.epoch)},
          {"from", place(basename, interval.from)},
          {"to", interval.to ? json(place(basename, *interval.to)) : json(nullptr)},
          {"open", interval.open()},
          {"groups", interval.uncountable ? json(nullptr) : json(interval.groups)},
          {"causes", causes},
          {"closed_at", interval.closed_at.empty() ? json(nullptr) : json(interval.closed_at)},
          {"acknowledged", interval.acknowledged}};
}

std::optional<std::uint64_t> id_in(const json& request) {
  const auto found = request.find("id");
  if (found == request.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

const AdminError kNoId{"id", "expected the number of an interval (binlane ledger list)"};

}  // namespace

json ledger_json(const std::vector<LedgerInterval>& intervals, const SourceView& view) {
  json rows = json::array();
  for (const LedgerInterval& interval : intervals)
    rows.push_back(interval_json(interval, view.basename));
  return {{"intervals", rows},
          {"entries", view.ledger.entries},
          {"open", view.ledger.open},
          {"unacknowledged", view.ledger.unacknowledged},
          {"failure", view.ledger_failure}};
}

AdminReply list_ledger(ControlThread& control) {
  return ledger_json(control.ledger_intervals(), control.view());
}

AdminReply list_ledger_groups(ControlThread& control, const json& request) {
  const auto id = id_in(request);
  if (!id) return kNoId;
  std::optional<LedgerInterval> wanted;
  for (const LedgerInterval& interval : control.ledger_intervals()) {
    if (interval.id == *id) wanted = interval;
  }
  if (!wanted) return AdminError{"id", fmt::format("interval {} is not listed", *id)};
  const auto view = control.view();
  const BinlogIndex index = read_binlog_index(view.role.binlog_index, view.role.binlog_base);
  if (!index.error.empty()) return AdminError{"", index.error};
  json groups = json::array();
  bool cut_short = false;
  const Position end = wanted->to.value_or(Position{UINT32_MAX, 0});
  const std::uint32_t last = std::min(index.last, end.file);
  // From the beginning of the file, because a group is recognised from its first event on.
  const std::string problem =
      read_groups({index.directory, index.basename}, {wanted->from.file, kBinlogMagicSize}, last,
                  [&](const BinlogGroup& group) {
                    if (group.begin >= end) return false;
                    if (group.end <= wanted->from) return true;
                    if (groups.size() == kMaxGroups) {
                      cut_short = true;
                      return false;
                    }
                    groups.push_back({{"gtid", to_string(group.gtid)},
                                      {"end", place(index.basename, group.end)}});
                    return true;
                  });
  if (!problem.empty()) return AdminError{"", problem};
  json answer = interval_json(*wanted, view.basename);
  answer["transactions"] = std::move(groups);
  answer["cut_short"] = cut_short;
  return answer;
}

AdminReply acknowledge_ledger(ControlThread& control, const json& request, const AdminPeer& peer) {
  const auto id = id_in(request);
  if (!id) return kNoId;
  const std::string problem =
      control.acknowledge_interval(*id, fmt::format("user {}", peer.uid)).text();
  if (!problem.empty()) return AdminError{"id", problem};
  return json{{"acknowledged_up_to", *id}};
}

}  // namespace binlane
