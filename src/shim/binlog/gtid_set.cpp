#include "shim/binlog/gtid_set.h"

#include "base/assert.h"

namespace binlane {

std::string to_string(const Gtid& gtid) {
  if (gtid.mariadb() != nullptr) return to_string(*gtid.mariadb());
  if (gtid.mysql() != nullptr) return to_string(*gtid.mysql());
  return "ANONYMOUS";
}

std::optional<Gtid> parse_any_gtid(std::string_view text) {
  if (const auto gtid = parse_gtid(text)) return *gtid;
  if (const auto gtid = parse_mysql_gtid(text)) return *gtid;
  return std::nullopt;
}

GtidGrammar grammar_of(std::string_view server_version) noexcept {
  return server_version.find("MariaDB") != std::string_view::npos ? GtidGrammar::mariadb
                                                                  : GtidGrammar::mysql;
}

GtidSet::GtidSet(GtidGrammar grammar) {
  if (grammar == GtidGrammar::mysql) set_.emplace<MysqlGtidSet>();
  BL_ASSERT(this->grammar() == grammar && empty());
}

std::optional<GtidSet> GtidSet::parse(GtidGrammar grammar, std::string_view text) {
  if (grammar == GtidGrammar::mysql) {
    if (auto set = MysqlGtidSet::parse(text)) return GtidSet(std::move(*set));
  } else if (auto position = GtidPosition::parse(text)) {
    return GtidSet(std::move(*position));
  }
  return std::nullopt;
}

GtidGrammar GtidSet::grammar() const noexcept {
  return mysql() != nullptr ? GtidGrammar::mysql : GtidGrammar::mariadb;
}

bool GtidSet::empty() const noexcept {
  return mysql() != nullptr ? mysql()->empty() : mariadb()->empty();
}

std::string GtidSet::text() const {
  return mysql() != nullptr ? mysql()->text() : mariadb()->text();
}

bool GtidSet::contains(const Gtid& gtid) const noexcept {
  if (mysql() != nullptr) return gtid.mysql() != nullptr && mysql()->contains(*gtid.mysql());
  if (gtid.mariadb() == nullptr) return false;
  const GtidEntry* const last = mariadb()->find(gtid.mariadb()->domain);
  return last != nullptr && last->sequence >= gtid.mariadb()->sequence;
}

bool GtidSet::covers(const GtidSet& wanted) const noexcept {
  if (grammar() != wanted.grammar()) return false;
  if (mysql() != nullptr) return mysql()->covers(*wanted.mysql());
  return binlane::covers(*mariadb(), *wanted.mariadb());
}

bool GtidSet::add(const Gtid& gtid) {
  if (auto* const set = std::get_if<MysqlGtidSet>(&set_))
    return gtid.mysql() != nullptr && set->add(*gtid.mysql());
  if (gtid.mariadb() == nullptr) return false;
  auto& position = std::get<GtidPosition>(set_);
  if (position.size() == GtidPosition::kMaxDomains &&
      position.find(gtid.mariadb()->domain) == nullptr) {
    return false;
  }
  position.set(*gtid.mariadb());
  return true;
}

}  // namespace binlane
