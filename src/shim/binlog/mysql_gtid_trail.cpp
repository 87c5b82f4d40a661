#include "shim/binlog/mysql_gtid_trail.h"

#include <fmt/format.h>

namespace binlane {

void MysqlGtidTrail::start_file(bool follows) noexcept {
  if (!follows) known_ = false;
  open_ = std::nullopt;
}

Continuity MysqlGtidTrail::end_list() noexcept {
  const bool usable = list_.complete() && list_.list().overflow() == 0;
  Continuity found = Continuity::unknown;
  if (usable && known_ && state_.overflow() == 0) {
    if (!state_.same_as(list_.list()))
      found = Continuity::differs;
    else if (!nameless_)
      found = Continuity::follows;
  }
  previous_ = state_;
  state_ = list_.list();
  known_ = usable;
  nameless_ = false;
  return found;
}

void MysqlGtidTrail::begin_group(EventType type, ConstBytes front) noexcept {
  const auto event = parse_mysql_gtid_body(type, front);
  open_ = event ? event->gtid : std::nullopt;
  // Not to be understood: then the state is not known either.
  if (!event) known_ = false;
}

void MysqlGtidTrail::end_group() noexcept {
  if (open_)
    state_.add(*open_);
  else
    nameless_ = true;
  open_ = std::nullopt;
}

std::string MysqlGtidTrail::difference() const {
  if (const auto gtid = list_.list().missing_in(previous_))
    return fmt::format("the next file says that {} was written, but the file does not hold it",
                       to_string(*gtid));
  if (const auto gtid = previous_.missing_in(list_.list()))
    return fmt::format("the file holds {}, but the next file does not list it", to_string(*gtid));
  return {};
}

}  // namespace binlane
