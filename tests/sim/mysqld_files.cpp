// Mysqld, the part about its binlog files: rotation, the index, PURGE, and what begins them anew.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/crc32c.h"
#include "binlog_slice.h"
#include "mysqld.h"
#include "shim/binlog/binlog_event.h"

namespace binlane::sim {
namespace {

constexpr std::uint32_t kStartup = 1'700'000'000;  // seconds; any value but 0 will do

}  // namespace

std::uint32_t Mysqld::startup_s() const {
  return kStartup + run_;
}

// --- rotation -----------------------------------------------------------------------------------

bool Mysqld::may_rotate() const {
  if (!flushed_.empty()) return false;
  return !temperament_.rotation_waits ||
         std::ranges::all_of(waiting_, [](const Group& group) { return group.after_commit; });
}

void Mysqld::begin_rotation() {
  rotate_wanted_ = false;
  rotation_delayed_ = false;
  if (storm_ > 0) --storm_;
  end_file(false);
  stage_ = Stage::rotating;
  due_ns_ = clock_.time_ns + sync_time();
}

void Mysqld::end_file(bool stop) {
  Ending& ending = endings_[file_];
  ending.begin = writer_.size();
  if (stop) {
    writer_.stop();
  } else {
    writer_.rotate(binlog_file_name(kBasename, file_ + 1));
  }
  ending.end = writer_.size();
  ending.crc = crc32c(0, slice(writer_.bytes(), ending.begin, ending.end));
  store_.append(file_, writer_.take());
}

void Mysqld::open_file(std::uint32_t number, std::uint32_t startup_s) {
  file_ = number;
  shift_ = 0;
  if (startup_s == 0 && std::exchange(delete_domain_wanted_, false)) gtids_.delete_idle_domain();
  store_.create(number);
  writer_ = test::BinlogWriter();
  gtids_.begin_file(writer_, startup_s);
  endings_[number] = {writer_.size(), 0, 0};
  store_.append(number, writer_.take());
  stage_ = Stage::new_file;
  unlisted_ = number;
  due_ns_ = clock_.time_ns + sync_time();
}

// The server lists a file in its index once the file is on stable storage (MariaDB 10.11:
// MYSQL_BIN_LOG::open).
void Mysqld::list_file() {
  store_.sync(file_);
  unlisted_ = 0;
}

std::uint32_t Mysqld::last_listed() const {
  return unlisted_ != 0 && store_.has(unlisted_ - 1) ? unlisted_ - 1 : store_.last();
}

void Mysqld::storm(std::uint32_t rotations) {
  storm_ = std::max(storm_, rotations);
}

void Mysqld::purge_before(std::uint32_t file) {
  if (!up_) return;
  file = std::min(file, last_listed());
  if (dump_file_ != 0) file = std::min(file, dump_file_);
  trace_.note("purge", file);
  store_.purge_before(file);
}

// --- beginning anew -----------------------------------------------------------------------------

void Mysqld::start_after(const GtidSet& executed) {
  BL_ASSERT(!up_ && store_.empty());
  gtids_.begin_after(executed);
  start();
}

void Mysqld::forget() {
  if (up_) kill();
  aborted_ = false;
  forget_binlogs();
  first_number_ = 1;
  unlisted_ = 0;
  answered = nullptr;
}

bool Mysqld::reset_master(std::uint32_t first) {
  if (!up_ || stage_ != Stage::idle || !waiting_.empty() || !flushed_.empty()) return false;
  trace_.note("reset master", first);
  ++counts_.resets;
  if (first != 1) ++counts_.resets_to_a_number;
  forget_binlogs();
  first_number_ = run_first_file_ = first;
  open_file(first, temperament_.marks_reset_as_start ? startup_s() : 0);
  return true;
}

void Mysqld::forget_binlogs() {
  ++resets_;
  store_.reset();
  endings_.clear();
  torn_.clear();
  tear_wanted_ = false;
  by_end_.clear();
  gtids_.reset();
  last_group_end_ = {};
  forget_acks();
  dump_end_ = foreign_sent_ = {};
  foreign_acks_.clear();
}

}  // namespace binlane::sim
