// Mysqld, the part that begins its binlogs anew.
#include "base/assert.h"
#include "mysqld.h"

namespace binlane::sim {

void Mysqld::start_after(std::uint64_t last_gtid) {
  BL_ASSERT(!up_ && store_.empty());
  options_.first_gtid = next_gtid_ = last_gtid + 1;
  start();
}

void Mysqld::forget() {
  if (up_) kill();
  forget_binlogs();
  unlisted_ = 0;
  answered = nullptr;
}

bool Mysqld::reset_master() {
  if (!up_ || stage_ != Stage::idle || !waiting_.empty()) return false;
  trace_.note("reset master");
  forget_binlogs();
  open_file(1, 0);
  run_first_file_ = 1;
  return true;
}

void Mysqld::forget_binlogs() {
  ++resets_;
  store_.reset();
  endings_.clear();
  torn_.clear();
  tear_wanted_ = false;
  has_idle_domain_ = false;
  by_end_.clear();
  next_gtid_ = 1;
  last_group_end_ = {};
  forget_acks();
  dump_end_ = foreign_sent_ = {};
  foreign_acks_.clear();
}

}  // namespace binlane::sim
