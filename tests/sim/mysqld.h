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
  foreign,  // OK by the ACK of a semi-sync client that is not ours
  unwaited  // OK because names were compared as text: nobody acknowledged it
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
  std::uint64_t visit = 0;  // of the foreign acker that it was answered by; 0: it was not
};

struct MysqldOptions {
  bool trims_torn_files = false;       // as MySQL does
  bool compares_names_as_text = true;  // as MariaDB does (S17)
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
  // So many rotations with next to nothing in between.
  void storm(std::uint32_t rotations);
  // A semi-sync client that is not ours: it acknowledges whatever it is sent, early.
  void connect_foreign();
  void disconnect_foreign();
  // It acknowledges what is not written yet, as far as this behind the newest group.
  void acknowledge_ahead(std::uint64_t bytes);
  bool foreign_connected() const { return foreign_; }
  std::uint64_t foreign_visits() const { return foreign_visits_; }
  void purge_before(std::uint32_t file);
  // False while somebody waits.
  bool reset_master();
  // The next group is written in half, lost, and the server goes on behind it (MariaDB, when the
  // disk of its binlogs was full, the waiting client was killed, and space was freed).
  void tear_next_group() { tear_wanted_ = true; }
  // The next file no longer lists the domain that nobody writes to.
  void delete_domain() {
    delete_domain_wanted_ = true;
    flush_logs();
  }
  // Clients send transactions, and it takes them.
  bool takes_writes() const { return busy && !read_only_ && !read_only_wanted_; }
  void set_sync_binlog(std::uint64_t value) { sync_binlog_ = value; }

  // --- what binlaned asks by SQL
  std::uint32_t first_file_of_run() const { return run_first_file_; }
  // The last one in its index.
  std::uint32_t last_listed() const;
  std::uint64_t sync_binlog() const { return sync_binlog_; }
  bool enabled() const { return enabled_; }
  // By its own settings, and by no statement since it started.
  bool enabled_by_settings() const { return enabled_ && !enabled_set_; }
  bool status_on() const { return enabled_ && status_on_; }
  const ServerCounters& counters() const { return counters_; }
  // Rpl_semi_sync_master_clients.
  std::uint64_t clients() const;
  bool compares_names_as_text() const { return options_.compares_names_as_text; }
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
  void end_dump();
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
  // Where a file of this stream that is still there is torn in its middle; null: nowhere. With
  // groups behind it, no reader can have them.
  Position torn_at() const;

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
  std::size_t work_foreign();
  static bool covers_as_text(const Position& acked, const Position& end);
  bool covers(const Position& end) const;
  Answer answer_of(const Group& group) const;
  void take_ack(const Position& position);
  void forget_acks();
  void write_group();
  bool tear_group(const std::vector<std::byte>& bytes);
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
  // How much longer the open file is than the server believes: what stands in it of groups that
  // were torn. The server's own positions, in events and for semi-sync, leave it out.
  std::uint64_t shift_ = 0;
  bool tear_wanted_ = false;
  bool delete_domain_wanted_ = false;
  bool has_idle_domain_ = true;
  std::map<std::uint32_t, std::uint64_t> torn_;  // file → offset
  std::uint64_t torn_at_ = 0;  // the last one: from where to where half a group is
  std::uint64_t torn_end_ = 0;
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
  bool enabled_set_ = false;  // by a statement, in this run
  bool status_on_ = false;
  bool read_only_ = false;
  bool read_only_wanted_ = false;  // by a statement
  Position acked_;                 // as the server compares
  Position own_acked_;             // by Binlane
  Position foreign_acked_;         // by the other one
  ServerCounters counters_;
  std::uint64_t sync_binlog_ = 1;
  // Until when each thread of a dump connection of ours is there.
  std::vector<std::uint64_t> threads_;
  bool foreign_ = false;
  std::uint64_t foreign_visits_ = 0;
  Position foreign_sent_;
  std::deque<std::pair<std::uint64_t, Position>> foreign_acks_;  // when due
  std::uint32_t storm_ = 0;                                      // rotations to come
  // Truth.
  std::vector<Commit> commits_;
  std::map<Position, std::size_t> by_end_;  // of this stream, those that are not lost
};

}  // namespace binlane::sim
