#include "mysqld.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/crc32c.h"
#include "shim/binlog/binlog_event.h"

namespace binlane::sim {
namespace {

constexpr std::uint32_t kStartup = 1'700'000'000;  // seconds; any value but 0 will do
constexpr std::uint64_t kLargeRows = 30'000;
// Every GTID list names this domain, and no group belongs to it, so DELETE_DOMAIN_ID may delete it.
constexpr GtidEntry kIdleDomain{9, 99, 5};

ConstBytes slice(const std::vector<std::byte>& data, std::uint64_t from, std::uint64_t to) {
  return ConstBytes(data).subspan(from, to - from);
}

}  // namespace

Mysqld::Mysqld(const test::VirtualClock& clock, Random random, Trace& trace, BinlogStore& store,
               const MysqldOptions& options)
    : clock_(clock), random_(random), trace_(trace), store_(store), options_(options) {
  next_gtid_ = options.first_gtid;
}

// --- life ---------------------------------------------------------------------------------------

void Mysqld::start() {
  BL_ASSERT(!up_);
  up_ = true;
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
  open_file(store_.empty() ? first_number() : store_.last() + 1, kStartup + run_);
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
  next_gtid_ = options_.first_gtid;
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
    if (!unread) next_gtid_ = commit.gtid + 1;
  }
  const std::uint32_t last = store_.last();
  if (!options_.trims_torn_files || ended(last)) return;
  const auto& data = store_.file(last).data;
  std::uint64_t keep = data.size();
  if (last_group_end_.file == last) {
    keep = last_group_end_.offset;
  } else {
    // There is no group, so the file ends after its header, as much of that as exists.
    const auto begun = endings_.find(last);
    if (begun != endings_.end()) keep = std::min<std::uint64_t>(keep, begun->second.begin);
  }
  store_.truncate(last, keep);
  store_.clear_in_use(last);
  store_.sync(last);
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
  stage_ = Stage::idle;
  waiting_.clear();
  group_ = {};
  second_piece_.clear();
}

// Clients whose commits wait get OK.
void Mysqld::shut_down() {
  if (!up_ || stage_ != Stage::idle) return;
  trace_.note("server shuts down", waiting_.size());
  for (const Group& group : waiting_) answer(group, Answer::exposed);
  end_file(true);
  store_.sync(file_);
  store_.clear_in_use(file_);
  kill();
}

// --- turns --------------------------------------------------------------------------------------

std::size_t Mysqld::turn() {
  if (!up_) return 0;
  std::size_t work = advance();
  work += work_foreign();
  work += answer_waiters();
  if (read_only_pending() && waiting_.empty() && group_.commits.empty()) {
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
  return std::min(nothing ? UINT64_MAX : due_ns_, acked_ns);
}

std::size_t Mysqld::advance() {
  if (clock_.time_ns < due_ns_) return 0;
  switch (stage_) {
    case Stage::idle:
      if (storm_ > 0 || rotate_wanted_ ||
          store_.file(file_).data.size() > options_.max_file_bytes) {
        begin_rotation();
      } else if (takes_writes()) {
        write_group();
      } else {
        return 0;
      }
      break;
    case Stage::second_piece:
      store_.append(file_, second_piece_);
      second_piece_.clear();
      sync_end_ = store_.file(file_).data.size();
      stage_ = Stage::syncing;
      due_ns_ = clock_.time_ns + sync_time();
      break;
    case Stage::syncing:
      finish_sync();
      break;
    case Stage::rotating:
      store_.sync(file_);
      store_.clear_in_use(file_);
      open_file(file_ + 1, 0);
      break;
    case Stage::new_file:
      list_file();
      dump_end_ = written();  // dump_reach() takes care of earlier files that are torn
      stage_ = Stage::idle;
      due_ns_ = clock_.time_ns + (storm_ > 0 ? 0 : random_.below(options_.group_pause_ns));
      break;
  }
  return 1;
}

// Half of the group remains in the file. Its clients were killed, so they know nothing.
bool Mysqld::tear_group(const std::vector<std::byte>& bytes) {
  if (!tear_wanted_ || options_.trims_torn_files) return false;
  tear_wanted_ = false;
  // The tear is within the first transaction, so the server's own position is never before what is
  // whole.
  const Commit& first = commits_[group_.commits.front()];
  const std::uint64_t most = first.end.offset - first.begin.offset - 1;
  const std::uint64_t kept = 1 + random_.below(most);
  const std::uint64_t at = store_.file(file_).data.size();
  store_.append(file_, ConstBytes(bytes).first(kept));
  shift_ += kept;
  torn_.try_emplace(file_, at);
  torn_at_ = at;
  torn_end_ = at + kept;
  for (const std::size_t index : group_.commits) {
    commits_[index].lost = true;
    by_end_.erase(commits_[index].end);
  }
  group_ = {};
  trace_.note("binlog torn", kept, file_, at);
  due_ns_ = clock_.time_ns + random_.below(options_.group_pause_ns);
  return true;
}

void Mysqld::write_group() {
  const std::uint64_t count = random_.one_in(4) ? random_.between(2, 6) : 1;
  const test::BinlogWriter before = writer_;
  const Position last_group_end = last_group_end_;
  group_ = {};
  std::vector<std::byte> bytes;
  for (std::uint64_t i = 0; i < count; ++i) {
    Commit commit;
    commit.id = commits_.size() + 1;
    commit.gtid = next_gtid_++;
    commit.stream = resets_;
    commit.begin = {file_, writer_.size() + shift_};
    commit.unsafe = sync_binlog_ != 1;
    const auto fill = static_cast<char>('a' + random_.below(26));
    if (random_.one_in(8)) {
      writer_.gtid(commit.gtid, true);
      writer_.query("create table t" + std::to_string(commit.id) + " (a int)");
    } else {
      const std::uint64_t most = random_.one_in(60) ? kLargeRows : options_.largest_rows;
      writer_.gtid(commit.gtid);
      writer_.rows(1 + random_.below(most), fill);
      writer_.xid();
    }
    commit.end = {file_, writer_.size() + shift_};
    commit.crc = crc32c(0, slice(writer_.bytes(), commit.begin.offset - shift_, writer_.size()));
    by_end_[commit.end] = commits_.size();
    group_.commits.push_back(commits_.size());
    commits_.push_back(commit);
  }
  group_.end = last_group_end_ = {file_, writer_.size()};
  bytes = writer_.take();
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
  sync_end_ = store_.file(file_).data.size();
  stage_ = Stage::syncing;
  due_ns_ = clock_.time_ns + sync_time();
}

void Mysqld::finish_sync() {
  if (sync_binlog_ == 1) {
    store_.sync_to(file_, sync_end_);
  } else {
    // sync_binlog was changed between the write and the sync; the server reads it at the sync.
    for (const std::size_t commit : group_.commits) commits_[commit].unsafe = true;
  }
  // Where the file is torn, the dump thread ends with an error.
  if (!torn_.contains(file_)) dump_end_ = group_.end;
  for (const std::size_t commit : group_.commits) commits_[commit].committed = after_commit_;
  group_.since_ns = clock_.time_ns;
  group_.timeout_ns = timeout_ns_;
  waiting_.push_back(std::move(group_));
  group_ = {};
  stage_ = Stage::idle;
  due_ns_ = clock_.time_ns + random_.below(2 * options_.group_pause_ns);
}

void Mysqld::begin_rotation() {
  rotate_wanted_ = false;
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
  if (startup_s == 0 && std::exchange(delete_domain_wanted_, false)) has_idle_domain_ = false;
  store_.create(number);
  writer_ = test::BinlogWriter();
  std::vector<GtidEntry> gtids;
  if (next_gtid_ > 1) gtids.push_back({0, test::BinlogWriter::kServerId, next_gtid_ - 1});
  if (has_idle_domain_) gtids.push_back(kIdleDomain);
  writer_.begin(gtids, startup_s);
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

std::uint32_t Mysqld::first_number() const {
  return resets_ == 0 ? options_.first_file : 1;
}

std::uint32_t Mysqld::last_listed() const {
  return unlisted_ != 0 && store_.has(unlisted_ - 1) ? unlisted_ - 1 : store_.last();
}

// --- semi-sync ----------------------------------------------------------------------------------

std::size_t Mysqld::answer_waiters() {
  std::size_t work = 0;
  while (!waiting_.empty()) {
    const Group& group = waiting_.front();
    if (!status_on()) {
      if (enabled_) counters_.no_tx += group.commits.size();
      answer(group, Answer::exposed);
    } else if (covers(group.end)) {
      counters_.yes_tx += group.commits.size();
      answer(group, answer_of(group));
    } else if (clock_.time_ns - group.since_ns >= group.timeout_ns) {
      status_on_ = false;
      ++counters_.no_times;
      ++timeouts_;
      trace_.note("server gives up waiting");
      continue;
    } else {
      break;
    }
    waiting_.pop_front();
    ++work;
  }
  return work;
}

void Mysqld::answer(const Group& group, Answer answer) {
  for (const std::size_t index : group.commits) {
    Commit& commit = commits_[index];
    commit.answer = answer;
    commit.committed = true;
    if (answer == Answer::foreign) commit.visit = foreign_visits_;
    if (answer == Answer::acked && acked_too_much()) commit.unsafe = true;
    commit.answered_ns = clock_.time_ns;
    trace_.note(answer == Answer::acked ? "commit OK" : "commit OK, exposed", commit.id);
    if (answered) answered(commit);
  }
}

void Mysqld::set_enabled(bool on) {
  trace_.note(on ? "semi-sync ON" : "semi-sync OFF", waiting_.size());
  enabled_set_ = true;
  if (on) {
    if (!enabled_) forget_acks();
    enabled_ = status_on_ = true;
    return;
  }
  if (enabled_) ++counters_.no_times;  // as seen on MariaDB 10.11
  enabled_ = status_on_ = false;
  for (const Group& group : waiting_) {
    counters_.no_tx += group.commits.size();
    answer(group, Answer::exposed);
  }
  waiting_.clear();
}

void Mysqld::begin_read_only() {
  if (read_only_ || read_only_wanted_) return;
  trace_.note("read_only wanted", waiting_.size());
  read_only_wanted_ = true;
}

// The whole group of the killed leader continues, and the server counts it as acknowledged.
void Mysqld::kill_waiter() {
  if (!up_ || waiting_.empty() || !status_on()) return;
  trace_.note("waiter killed", waiting_.front().commits.size());
  counters_.yes_tx += waiting_.front().commits.size();
  answer(waiting_.front(), Answer::exposed);
  waiting_.pop_front();
}

void Mysqld::purge_before(std::uint32_t file) {
  if (!up_) return;
  file = std::min(file, last_listed());
  if (dump_file_ != 0) file = std::min(file, dump_file_);
  trace_.note("purge", file);
  store_.purge_before(file);
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
