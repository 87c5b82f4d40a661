#include "server_gtids.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace binlane::sim {
namespace {

// Every Gtid_list names this domain, and no group belongs to it, so DELETE_DOMAIN_ID may delete it.
constexpr GtidEntry kIdleDomain{9, 99, 5};

}  // namespace

ServerGtids::ServerGtids(GtidGrammar grammar, const Uuid& server)
    : grammar_(grammar), server_(server), replicated_(grammar) {
  BL_ASSERT(!is_mysql() || !server.is_null());
}

void ServerGtids::begin_after(const GtidSet& executed) {
  BL_ASSERT(executed.grammar() == grammar_);
  replicated_ = executed;
  first_ = 1;
  if (is_mysql()) {
    const MysqlGtidSet own = executed.mysql()->of(server_);
    // It never leaves out a number, so there is one interval.
    if (!own.empty()) first_ = own.by_tsid().begin()->second.back().end;
  } else if (const GtidEntry* const last = executed.mariadb()->find(0)) {
    first_ = last->sequence + 1;
  }
  next_ = first_;
}

void ServerGtids::reset() {
  replicated_ = GtidSet(grammar_);
  first_ = next_ = 1;
  has_idle_domain_ = false;
}

GtidSet ServerGtids::executed() const {
  if (!is_mysql()) {
    GtidPosition position;
    if (next_ > 1) position.set({0, test::BinlogWriter::kServerId, next_ - 1});
    return GtidSet(std::move(position));
  }
  MysqlGtidSet set = *replicated_.mysql();
  if (next_ > first_) {
    const auto own =
        MysqlGtidSet::parse(fmt::format("{}:{}-{}", to_string(server_), first_, next_ - 1));
    const bool added = own && set.add(*own);
    BL_ASSERT(added);
  }
  return GtidSet(std::move(set));
}

void ServerGtids::begin_file(test::BinlogWriter& writer, std::uint32_t startup_s) const {
  if (is_mysql()) {
    writer.magic();
    writer.format(startup_s);
    writer.previous_gtids(*executed().mysql());
    return;
  }
  std::vector<GtidEntry> gtids;
  if (next_ > 1) gtids.push_back({0, test::BinlogWriter::kServerId, next_ - 1});
  if (has_idle_domain_) gtids.push_back(kIdleDomain);
  writer.begin(gtids, startup_s);
}

void ServerGtids::begin_group(test::BinlogWriter& writer, std::uint64_t number, bool alone) const {
  if (!is_mysql()) return writer.gtid(number, alone);
  writer.mysql_gtid({{server_, {}}, number});
}

}  // namespace binlane::sim
