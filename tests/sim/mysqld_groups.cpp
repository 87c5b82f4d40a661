// Mysqld, the part that writes groups of transactions to the binlog, and syncs it.
#include <utility>

#include "base/assert.h"
#include "base/crc32c.h"
#include "binlog_slice.h"
#include "mysqld.h"

namespace binlane::sim {
namespace {

constexpr std::uint64_t kLargeRows = 30'000;
// Another group that is written while this one is synced comes so soon.
constexpr std::uint64_t kCloseNs = 200'000;

}  // namespace

// --- writing ------------------------------------------------------------------------------------

Commit Mysqld::new_commit() {
  Commit commit;
  commit.id = commits_.size() + 1;
  commit.gtid = gtids_.take();
  commit.writer = gtids_.writer();
  commit.stream = resets_;
  commit.unsafe = sync_binlog_ != 1;
  return commit;
}

// `bytes`: those of the commit.
void Mysqld::add_commit(Commit commit, ConstBytes bytes) {
  commit.crc = crc32c(0, bytes);
  by_end_[commit.end] = commits_.size();
  group_.commits.push_back(commits_.size());
  commits_.push_back(commit);
}

Commit Mysqld::write_commit() {
  const bool mysql = temperament_.grammar == GtidGrammar::mysql;
  Commit commit = new_commit();
  commit.begin = {file_, writer_.size() + shift_};
  const auto fill = static_cast<char>('a' + random_.below(26));
  const bool statement = random_.one_in(8);
  gtids_.begin_group(writer_, commit.gtid, statement);
  if (statement) {
    writer_.query("create table t" + std::to_string(commit.id) + " (a int)");
  } else {
    const std::uint64_t most = random_.one_in(60) ? kLargeRows : options_.largest_rows;
    const std::uint64_t rows = 1 + random_.below(most);
    if (mysql && random_.one_in(8)) {
      // binlog_transaction_compression is a session's setting.
      writer_.event(EventType::transaction_payload, std::string(rows, fill));
    } else {
      if (mysql) writer_.query("BEGIN");
      writer_.rows(rows, fill, !mysql);
      writer_.xid();
    }
  }
  commit.end = {file_, writer_.size() + shift_};
  return commit;
}

void Mysqld::write_group() {
  const std::uint64_t count = random_.one_in(4) ? random_.between(2, 6) : 1;
  const test::BinlogWriter before = writer_;
  const Position last_group_end = last_group_end_;
  group_ = {};
  for (std::uint64_t i = 0; i < count; ++i) {
    const Commit commit = write_commit();
    add_commit(commit, slice(writer_.bytes(), commit.begin.offset - shift_, writer_.size()));
  }
  group_.end = last_group_end_ = {file_, writer_.size()};
  std::vector<std::byte> bytes = writer_.take();
  if (tear_group(bytes)) {
    writer_ = before;
    last_group_end_ = last_group_end;
    return;
  }
  trace_.note("group written", count, group_.end.file, group_.end.offset);
  if (random_.one_in(3)) {
    // The group is larger than the server's cache, so it is written in two pieces, split anywhere.
    const auto cut = static_cast<std::ptrdiff_t>(1 + random_.below(bytes.size() - 1));
    second_piece_.assign(bytes.begin() + cut, bytes.end());
    bytes.resize(static_cast<std::size_t>(cut));
    store_.append(file_, bytes);
    stage_ = Stage::second_piece;
    due_ns_ = clock_.time_ns + 10'000 + random_.below(options_.second_piece_ns);
    return;
  }
  store_.append(file_, bytes);
  flush_group();
}

// Half of the group remains in the file. Its clients were killed, so they know nothing.
bool Mysqld::tear_group(const std::vector<std::byte>& bytes) {
  if (!std::exchange(tear_wanted_, false)) return false;
  // The tear is within the first transaction, so the server's own position is never before what is
  // whole.
  const Commit& first = commits_[group_.commits.front()];
  const std::uint64_t most = first.end.offset - first.begin.offset - 1;
  const std::uint64_t kept = 1 + random_.below(most);
  const std::uint64_t at = store_.file(file_).data.size();
  store_.append(file_, ConstBytes(bytes).first(kept));
  for (const std::size_t index : group_.commits) {
    commits_[index].lost = true;
    by_end_.erase(commits_[index].end);
  }
  group_ = {};
  trace_.note("binlog torn", kept, file_, at);
  if (temperament_.aborts_after_half_write) {
    ++counts_.aborts;
    aborted_ = true;
    kill();
    return true;
  }
  shift_ += kept;
  torn_.try_emplace(file_, at);
  torn_at_ = at;
  torn_end_ = at + kept;
  due_ns_ = clock_.time_ns + random_.below(options_.group_pause_ns);
  return true;
}

// --- syncing ------------------------------------------------------------------------------------

// The group is written.
void Mysqld::flush_group() {
  if (sync_binlog_ != 1 && temperament_.publishes_unsynced) dump_end_ = group_.end;
  flushed_.push_back(std::exchange(group_, {}));
  if (syncing_ == 0) begin_sync();
  stage_ = Stage::idle;
  const bool close = temperament_.writes_during_sync && random_.one_in(3);
  due_ns_ = clock_.time_ns + random_.below(close ? kCloseNs : 2 * options_.group_pause_ns);
}

void Mysqld::begin_sync() {
  BL_ASSERT(syncing_ == 0 && !flushed_.empty());
  syncing_ = flushed_.size();
  sync_end_ = store_.file(file_).data.size();
  sync_due_ns_ = clock_.time_ns + sync_time();
}

std::size_t Mysqld::advance_sync() {
  if (syncing_ == 0 || clock_.time_ns < sync_due_ns_) return 0;
  finish_sync();
  return 1;
}

void Mysqld::finish_sync() {
  Group done = std::move(flushed_.front());
  flushed_.pop_front();
  for (std::size_t more = 1; more < syncing_; ++more) {
    const Group& next = flushed_.front();
    done.commits.insert(done.commits.end(), next.commits.begin(), next.commits.end());
    done.end = next.end;
    flushed_.pop_front();
    ++counts_.groups_synced_together;
  }
  syncing_ = 0;
  if (sync_binlog_ == 1) {
    store_.sync_to(file_, sync_end_);
  } else {
    // sync_binlog was changed between the write and the sync; the server reads it at the sync.
    for (const std::size_t commit : done.commits) commits_[commit].unsafe = true;
  }
  // Where the file is torn, the dump thread ends with an error.
  if (!torn_.contains(file_)) dump_end_ = std::max(dump_end_, done.end);
  done.after_commit = after_commit_;
  for (const std::size_t commit : done.commits) commits_[commit].committed = after_commit_;
  begin_waiting(std::move(done));
  if (!flushed_.empty()) begin_sync();
}

}  // namespace binlane::sim
