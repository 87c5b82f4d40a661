#include "mysqld.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/stream_digest.h"
#include "binlog_slice.h"

namespace binlane::sim {

Mysqld::Mysqld(const test::VirtualClock& clock, Random random, Trace& trace, BinlogStore& store,
               const MysqldOptions& options)
    : clock_(clock),
      random_(random),
      trace_(trace),
      store_(store),
      options_(options),
      temperament_(temperament_of(options.kind)),
      gtids_(temperament_.grammar, options.uuid),
      first_number_(options.first_file) {}

// --- life ---------------------------------------------------------------------------------------

void Mysqld::start() {
  BL_ASSERT(!up_);
  up_ = true;
  aborted_ = false;
  ++run_;
  forget_acks();
  counters_ = {};
  enabled_ = status_on_ = options_.enabled_at_start;
  enabled_set_ = false;
  sync_binlog_ = 1;
  timeout_ns_ = options_.timeout_ns;
  after_commit_ = options_.after_commit_at_start;
  read_only_ = options_.read_only_at_start;
  read_only_wanted_ = false;
  rotate_wanted_ = false;
  dump_end_ = {};
  // The server removes a binlog that its index does not list, and uses its number again.
  if (unlisted_ != 0 && store_.has(unlisted_)) store_.remove(unlisted_);
  if (!store_.empty()) recover();
  open_file(store_.empty() ? first_number_ : store_.last() + 1, startup_s());
  run_first_file_ = file_;
  list_file();  // before anybody can connect
  trace_.note("server starts", run_, file_);
}

// Everything before the first transaction that is not whole is in the binlog, and is committed. The
// rest never happened.
void Mysqld::recover() {
  // A crash, too, leaves half a group with nothing after it.
  const auto torn_last = torn_.find(store_.last());
  if (torn_last != torn_.end() && store_.file(store_.last()).data.size() <= torn_end_ &&
      torn_at_ == torn_last->second)
    torn_.erase(torn_last);
  bool gone = false;
  // The server's tables have what is after half a group, but its recovery stops reading there.
  bool unread = false;
  last_group_end_ = {};
  std::uint64_t next_gtid = gtids_.first();
  for (Commit& commit : commits_) {
    if (commit.stream != resets_ || commit.lost) continue;
    gone = gone || !survives(commit);
    if (gone) {
      commit.lost = true;
      by_end_.erase(commit.end);
      trace_.note("transaction lost", commit.id, commit.end.file, commit.end.offset);
      continue;
    }
    last_group_end_ = commit.end;
    commit.committed = true;
    const auto torn = torn_.find(commit.end.file);
    unread = unread || (torn != torn_.end() && commit.end.file == store_.last() &&
                        commit.begin.offset >= torn->second);
    if (!unread) next_gtid = commit.gtid + 1;
  }
  gtids_.go_on_at(next_gtid);
  if (temperament_.trims_torn_files) trim_torn_file();
}

void Mysqld::trim_torn_file() {
  const std::uint32_t last = store_.last();
  const auto& data = store_.file(last).data;
  const bool in_use =
      data.size() > kInUseOffset && (data[kInUseOffset] & kInUseBit) != std::byte{0};
  if (!in_use) return;
  std::uint64_t keep = data.size();
  if (!ended(last)) {
    const auto begun = endings_.find(last);
    if (last_group_end_.file == last) {
      keep = last_group_end_.offset;
    } else if (begun != endings_.end()) {
      // There is no group, so the file ends after its header.
      keep = std::min<std::uint64_t>(keep, begun->second.begin);
    }
  }
  if (keep < data.size()) {
    trace_.note("binlog trimmed", last, keep, data.size());
    ++counts_.torn_files_trimmed;
    store_.truncate(last, keep);
  }
  ++counts_.flags_cleared_by_recovery;
  store_.clear_in_use(last);
}

bool Mysqld::survives(const Commit& commit) const {
  if (!store_.has(commit.end.file)) return false;
  const BinlogStore::File& file = store_.file(commit.end.file);
  if (file.purged) return true;
  return file.data.size() >= commit.end.offset &&
         crc32c(0, slice(file.data, commit.begin.offset, commit.end.offset)) == commit.crc;
}

bool Mysqld::ended(std::uint32_t file) const {
  const auto found = endings_.find(file);
  if (found == endings_.end() || found->second.end == 0) return false;
  const auto& data = store_.file(file).data;
  const Ending& ending = found->second;
  return data.size() == ending.end &&
         crc32c(0, slice(data, ending.begin, ending.end)) == ending.crc;
}

void Mysqld::kill() {
  BL_ASSERT(up_);
  trace_.note("server killed", static_cast<std::uint64_t>(stage_), waiting_.size());
  up_ = false;
  threads_.clear();
  disconnect_foreign();
  storm_ = 0;
  dump_file_ = 0;
  if (rename_) ++counts_.renames_cut_short;
  rename_.reset();
  stage_ = Stage::idle;
  waiting_.clear();
  flushed_.clear();
  syncing_ = 0;
  group_ = {};
  second_piece_.clear();
}

// Clients whose commits wait get OK.
void Mysqld::shut_down() {
  if (!up_ || stage_ != Stage::idle || !flushed_.empty()) return;
  trace_.note("server shuts down", waiting_.size());
  for (const Group& group : waiting_) answer(group, Answer::exposed);
  end_file(true);
  store_.sync(file_);
  store_.clear_in_use(file_);
  if (temperament_.syncs_cleared_flag) store_.sync(file_);
  kill();
}

// --- turns --------------------------------------------------------------------------------------

std::size_t Mysqld::turn() {
  if (!up_) return 0;
  std::size_t work = advance_sync();
  work += advance();
  if (!up_) return work;  // it has aborted
  work += work_foreign();
  work += answer_waiters();
  if (read_only_pending() && waiting_.empty() && flushed_.empty() && group_.commits.empty() &&
      !rename_) {
    read_only_ = true;
    trace_.note("server is read-only");
    ++work;
  }
  return work;
}

std::uint64_t Mysqld::next_due_ns() const {
  if (!up_) return UINT64_MAX;
  const bool nothing = stage_ == Stage::idle && !takes_writes() && !rotate_wanted_ && storm_ == 0;
  const std::uint64_t acked_ns = foreign_acks_.empty() ? UINT64_MAX : foreign_acks_.front().first;
  const std::uint64_t synced_ns = syncing_ == 0 ? UINT64_MAX : sync_due_ns_;
  return std::min({nothing ? UINT64_MAX : due_ns_, acked_ns, synced_ns});
}

std::size_t Mysqld::advance() {
  if (clock_.time_ns < due_ns_) return 0;
  switch (stage_) {
    case Stage::idle:
      return advance_idle();
    case Stage::second_piece:
      store_.append(file_, second_piece_);
      second_piece_.clear();
      flush_group();
      break;
    case Stage::rotating:
      store_.sync(file_);
      store_.clear_in_use(file_);
      if (temperament_.syncs_cleared_flag) store_.sync(file_);
      open_file(file_ + 1, 0);
      break;
    case Stage::new_file:
      list_file();
      dump_end_ = written();  // dump_reach() takes care of earlier files that are torn
      stage_ = Stage::idle;
      due_ns_ = clock_.time_ns + (storm_ > 0 ? 0 : random_.below(options_.group_pause_ns));
      break;
    case Stage::renaming:
      advance_rename();
      break;
  }
  return 1;
}

std::size_t Mysqld::advance_idle() {
  if (!temperament_.writes_during_sync && !flushed_.empty()) return 0;
  if (storm_ > 0 || rotate_wanted_ || store_.file(file_).data.size() > options_.max_file_bytes) {
    if (may_rotate()) {
      begin_rotation();
      return 1;
    }
    if (!std::exchange(rotation_delayed_, true) && flushed_.empty()) ++counts_.rotations_delayed;
    return 0;
  }
  if (!takes_writes()) return 0;
  if (temperament_.renames_large_groups && !tear_wanted_ && random_.one_in(6)) {
    begin_rename();
  } else {
    write_group();
  }
  return 1;
}

void Mysqld::begin_read_only() {
  if (read_only_ || read_only_wanted_) return;
  trace_.note("read_only wanted", waiting_.size());
  read_only_wanted_ = true;
}

// --- dump connection ----------------------------------------------------------------------------

Position Mysqld::dump_reach(Position start) const {
  for (std::uint32_t file = start.file; file < file_; ++file) {
    if (!store_.has(file) || store_.file(file).purged) return {};
    // The dump thread stops for ever where a file is torn.
    if (!ended(file)) return last_group_end_.file == file ? last_group_end_ : Position{};
  }
  return dump_end_;
}

void Mysqld::on_ack(Position position) {
  if (!up_ || !enabled_) return;
  trace_.note("server hears ACK", position.file, position.offset);
  own_acked_ = std::max(own_acked_, position);
  take_ack(position);
}

// --- what is true -------------------------------------------------------------------------------

const Commit* Mysqld::around(Position position) const {
  const auto found = by_end_.upper_bound(position);
  if (found == by_end_.end()) return nullptr;
  const Commit& commit = commits_[found->second];
  return commit.begin < position ? &commit : nullptr;
}

bool Mysqld::acked_too_much() const {
  const Position end = written();
  return acked_ > end && !(acked_ == Position{end.file + 1, 0} && ended(end.file));
}

Position Mysqld::torn_at() const {
  for (const auto& [file, offset] : torn_) {
    if (store_.has(file) && !store_.file(file).purged) return {file, offset};
  }
  return {};
}

Position Mysqld::written() const {
  const std::uint32_t last = store_.last();
  return last == 0 ? Position{} : Position{last, store_.file(last).data.size()};
}

}  // namespace binlane::sim
