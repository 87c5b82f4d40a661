#include "shim/feed/gtid_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace binlane {
namespace {

// The texts are the real source's, because operators and tools know them.
mysql::ErrorPacket not_in_binlog(const GtidEntry& gtid) {
  return fatal_dump_error(fmt::format(
      "Error: connecting slave requested to start from GTID {}, which is not in the master's "
      "binlog",
      to_string(gtid)));
}

mysql::ErrorPacket diverged(const GtidEntry& gtid) {
  return fatal_dump_error(fmt::format(
      "Error: connecting slave requested to start from GTID {}, which is not in the master's "
      "binlog. Since the master's binlog contains GTIDs with higher sequence numbers, it probably "
      "means that the slave has diverged due to executing extra erroneous transactions",
      to_string(gtid)));
}

mysql::ErrorPacket hole(const GtidEntry& gtid) {
  return fatal_dump_error(fmt::format(
      "The binlog on the master is missing the GTID {} requested by the slave (even though both a "
      "prior and a subsequent sequence number does exist), and GTID strict mode is enabled",
      to_string(gtid)));
}

}  // namespace

bool needs_nothing_before(const GtidPosition& position, std::span<const GtidEntry> list) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const GtidEntry& entry = list[i];
    const GtidEntry* const held = position.find(entry.domain);
    // It needs the domain from its very first group on.
    if (held == nullptr) return false;
    if (held->server_id != entry.server_id || held->sequence > entry.sequence) continue;
    if (held->sequence < entry.sequence) return false;
    // It holds exactly this group. Others of the domain may follow it before the file. The last one
    // written is at the end of its domain.
    if (i + 1 < list.size() && list[i + 1].domain == entry.domain) return false;
  }
  return true;
}

GtidFilter::GtidFilter(GtidRequest request)
    : start_(std::move(request.start)),
      until_(std::move(request.until)),
      strict_(request.strict),
      ignore_duplicates_(request.ignore_duplicates),
      replica_server_id_(request.replica_server_id) {}

std::optional<mysql::ErrorPacket> GtidFilter::check_start(const GtidHistory& archive) {
  std::optional<mysql::ErrorPacket> error;
  for (const auto& [domain, gtid] : start_.by_domain()) {
    kinds_[domain] = kind_of(gtid, archive, error);
    if (error) return error;
  }
  return std::nullopt;
}

GtidFilter::Kind GtidFilter::kind_of(const GtidEntry& gtid, const GtidHistory& archive,
                                     std::optional<mysql::ErrorPacket>& error) {
  const auto held = archive.last_of(gtid.domain, gtid.server_id);
  if (held && *held >= gtid.sequence) return Kind::known;
  const auto newest = archive.last_in(gtid.domain);
  if (!newest) return Kind::unknown_domain;
  if (ignore_duplicates_ && newest->sequence < gtid.sequence) return Kind::tolerated;
  if (until_) {
    // A stop before the start: there is nothing to send in this domain, and nothing is wrong.
    const GtidEntry* const stop = until_->find(gtid.domain);
    const auto stop_held =
        stop == nullptr ? std::nullopt : archive.last_of(stop->domain, stop->server_id);
    if (stop == nullptr || (stop_held && *stop_held >= stop->sequence)) {
      until_->erase(gtid.domain);
      return Kind::tolerated;
    }
  }
  if (newest->sequence >= gtid.sequence) {
    error = diverged(gtid);
  } else if (gtid.server_id == replica_server_id_ && !held) {
    // It is the replica's own transaction. Nothing that the replica wrote ever came to this stream,
    // so it will not come.
    error = not_in_binlog(gtid);
  }
  return Kind::ahead;
}

void GtidFilter::begin(std::span<const GtidEntry> list) {
  for (const GtidEntry& entry : list) {
    seen_.set(entry);
    // A domain that the replica holds up to this file's beginning: nothing has to be skipped. Its
    // last group may have been purged long ago.
    const GtidEntry* const held = start_.find(entry.domain);
    if (held != nullptr && held->server_id == entry.server_id && held->sequence == entry.sequence) {
      start_.erase(entry.domain);
    }
    const GtidEntry* const stop = until_ ? until_->find(entry.domain) : nullptr;
    if (stop != nullptr && stop->server_id == entry.server_id && stop->sequence <= entry.sequence) {
      until_->erase(entry.domain);
    }
  }
}

GtidFilter::Verdict GtidFilter::on_group(const GtidEvent& event) {
  const GtidEntry& group = event.gtid;
  seen_.set(group);
  Verdict verdict{.send = true, .error = std::nullopt};
  if (const GtidEntry* const held = start_.find(group.domain)) {
    const GtidEntry start = *held;
    const bool same_server = group.server_id == start.server_id;
    if (kinds_[group.domain] != Kind::known && !same_server && group.sequence >= start.sequence) {
      verdict.error = diverged(start);
      return verdict;
    }
    if (!same_server || group.sequence <= start.sequence) verdict.send = false;
    if (same_server && group.sequence >= start.sequence) {
      if (strict_ && group.sequence > start.sequence) {
        verdict.error = hole(start);
        return verdict;
      }
      start_note_ = true;
      start_.erase(group.domain);
    }
  }
  if (until_) {
    const GtidEntry* const stop = until_->find(group.domain);
    if (stop == nullptr) {
      verdict.send = false;
    } else if (group.server_id == stop->server_id && group.sequence >= stop->sequence) {
      if (group.sequence > stop->sequence) verdict.send = false;
      until_->erase(group.domain);
    }
  }
  return verdict;
}

bool GtidFilter::start_reached() const {
  return std::all_of(start_.by_domain().begin(), start_.by_domain().end(), [this](const auto& it) {
    const auto kind = kinds_.find(it.first);
    return kind != kinds_.end() && kind->second == Kind::unknown_domain;
  });
}

std::optional<GtidEntry> GtidFilter::ahead_of() const {
  for (const auto& [domain, gtid] : start_.by_domain()) {
    const auto kind = kinds_.find(domain);
    if (kind != kinds_.end() && kind->second == Kind::ahead) return gtid;
  }
  return std::nullopt;
}

bool GtidFilter::take_start_note() {
  return std::exchange(start_note_, false);
}

}  // namespace binlane
