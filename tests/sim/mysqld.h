// Mysqld: a source's database server in virtual time, as far as its binlog and its semi-sync go.
//
// Group commit in steps: write (in one or two pieces), sync, publish to the dump connection, wait
// point, engine commit, answer to the client; each step takes time, and a crash may come between
// any two. Semi-sync as MariaDB's (or MySQL's, for recovery): an own timeout that switches it off,
// on again by an ACK that covers everything, KILL of a waiting leader, OFF and ON. Recovery keeps a
// torn tail (MariaDB) or trims it (MySQL), goes on in the next file, and uses the GTIDs of lost
// transactions again. What clients were told is kept as Commits.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "base/clock.h"
#include "binlog_store.h"
#include "control/source_state.h"
#include "random.h"
#include "trace.h"
#include "unit/binlog_writer.h"

namespace binlane::sim {

// What a client was told of its transaction.
enum class Answer : std::uint8_t {
  none,     // nothing yet, or nothing ever: it is not known
  acked,    // OK, and a quorum was to have it
  exposed,  // OK without a quorum
};

struct Commit {
  std::uint64_t id = 0;
  std::uint64_t gtid = 0;    // sequence number
  std::uint64_t stream = 0;  // RESETs so far
  Position begin;
  Position end;
  std::uint32_t crc = 0;  // of its bytes
  Answer answer = Answer::none;
  std::uint64_t answered_ns = 0;
  bool lost = false;  // not in the binlog any more
  // Written, or not synced, while sync_binlog was not 1; or answered by an ACK of binlogs that were
  // reset since, before anybody could know of that.
  bool unsafe = false;
};

struct MysqldOptions {
  bool trims_torn_files = false;  // as MySQL does
  std::uint32_t first_file = 1;
  std::uint64_t first_gtid = 1;     // behind what it executed as a replica
  bool read_only_at_start = false;  // in its configuration
  bool enabled_at_start = true;     // semi-sync, in the server's configuration
  std::uint64_t timeout_ns = 4 * kNanosPerSecond;
  std::uint64_t second_piece_ns = 60'000;  // at most; a group that is written in two pieces
  std::uint64_t max_file_bytes = 32 * 1024;
  std::uint64_t group_pause_ns = 20 * kNanosPerMilli;
  std::uint32_t largest_rows = 1500;
};

class Mysqld {
 public:
  Mysqld(const test::VirtualClock& clock, Random random, Trace& trace, BinlogStore& store,
         const MysqldOptions& options);

  // --- its life
  void start();
  // kill -9; what the disk then loses is the store's business.
  void kill();
  void shut_down();
  bool up() const { return up_; }
  std::uint32_t run() const { return run_; }
  std::size_t turn();
  std::uint64_t next_due_ns() const;
  std::uint64_t paused_until_ns = 0;  // with its machine

  // --- clients and operators
  bool busy = true;  // clients send transactions
  void kill_waiter();
  void flush_logs() { rotate_wanted_ = true; }
  void purge_before(std::uint32_t file);
  // False while somebody waits.
  bool reset_master();
  // Clients send transactions, and it takes them.
  bool takes_writes() const { return busy && !read_only_ && !read_only_wanted_; }
  void set_sync_binlog(std::uint64_t value) { sync_binlog_ = value; }

  // --- what binlaned asks by SQL
  std::uint32_t first_file_of_run() const { return run_first_file_; }
  // The last one in its index.
  std::uint32_t last_listed() const;
  std::uint64_t sync_binlog() const { return sync_binlog_; }
  bool enabled() const { return enabled_; }
  bool status_on() const { return enabled_ && status_on_; }
  const ServerCounters& counters() const { return counters_; }
  void set_enabled(bool on);
  // SET GLOBAL read_only=1 waits behind commits that wait, and blocks new ones meanwhile (S15).
  void begin_read_only();
  bool read_only_pending() const { return read_only_wanted_ && !read_only_; }
  bool read_only() const { return read_only_; }
  void lift_read_only() { read_only_ = read_only_wanted_ = false; }

  // --- the dump connection
  std::uint64_t dump_generation() const { return resets_; }
  // A registration is an ACK.
  void register_dump(Position start);
  // How far a dump thread that began at `start` has sent; null: nothing.
  Position dump_reach(Position start) const;
  void on_ack(Position position);

  // --- for checks
  std::function<void(const Commit&)> answered;
  const std::vector<Commit>& commits() const { return commits_; }
  // The commit in which the position lies, its bounds aside; null: none.
  const Commit* around(Position position) const;
  std::uint64_t resets() const { return resets_; }
  // How often it gave up a wait by itself.
  std::uint64_t timeouts() const { return timeouts_; }
  // A group's first half is written, its second is not.
  bool within_group() const { return stage_ == Stage::second_piece; }
  // A file is there that its index does not list yet.
  bool within_rotation() const { return unlisted_ != 0; }
  // The file that the dump thread reads, 0 for none: PURGE leaves it alone.
  void dump_reads(std::uint32_t file) { dump_file_ = file; }
  std::size_t waiting() const { return waiting_.size(); }
  // Its Rotate or Stop event is there, whole.
  bool ended(std::uint32_t file) const;
  // What it was told lies behind its binlogs: it was about others, which were reset since.
  bool acked_too_much() const;
  // Behind everything that was written.
  Position written() const;

 private:
  enum class Stage : std::uint8_t { idle, second_piece, syncing, rotating, new_file };
  struct Group {
    Position end;
    std::uint64_t since_ns = 0;
    std::vector<std::size_t> commits;  // indices
  };
  struct Ending {  // the Rotate or Stop event of a file
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint32_t crc = 0;
  };

  std::size_t advance();
  std::size_t answer_waiters();
  void write_group();
  void finish_sync();
  void begin_rotation();
  void open_file(std::uint32_t number, std::uint32_t startup_s);
  void list_file();
  std::uint32_t first_number() const;
  void end_file(bool stop);
  void answer(const Group& group, Answer answer);
  void recover();
  bool survives(const Commit& commit) const;
  std::uint64_t sync_time() { return 80'000 + random_.below(300'000); }

  const test::VirtualClock& clock_;
  Random random_;
  Trace& trace_;
  BinlogStore& store_;
  MysqldOptions options_;
  bool up_ = false;
  std::uint32_t run_ = 0;
  std::uint32_t run_first_file_ = 0;
  std::uint32_t file_ = 0;
  std::uint32_t unlisted_ = 0;  // the file that is not in the index yet; 0: none
  testing::BinlogWriter writer_;
  std::map<std::uint32_t, Ending> endings_;
  Stage stage_ = Stage::idle;
  std::uint64_t due_ns_ = 0;
  bool rotate_wanted_ = false;
  std::vector<std::byte> second_piece_;
  std::uint64_t sync_end_ = 0;
  Group group_;                // being written and synced
  std::deque<Group> waiting_;  // at the wait point
  Position dump_end_;
  std::uint32_t dump_file_ = 0;
  Position last_group_end_;
  std::uint64_t next_gtid_ = 1;
  std::uint64_t resets_ = 0;
  std::uint64_t timeouts_ = 0;
  // Semi-sync.
  bool enabled_ = false;
  bool status_on_ = false;
  bool read_only_ = false;
  bool read_only_wanted_ = false;  // by a statement
  Position acked_;
  ServerCounters counters_;
  std::uint64_t sync_binlog_ = 1;
  // Truth.
  std::vector<Commit> commits_;
  std::map<Position, std::size_t> by_end_;  // of this stream, those that are not lost
};

}  // namespace binlane::sim
