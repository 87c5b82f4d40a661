// Mysqld: a source's database server in virtual time, as far as its binlog and its semi-sync go.
//
// Group commit has these steps: write (in one or two pieces), sync, publish to the dump connection,
// wait point, engine commit, answer to the client. Each step takes time, and a crash may come
// between any two. Semi-sync's own timeout switches it off, an ACK that covers everything switches
// it on again, and there are KILL of a waiting session, OFF and ON. Recovery continues in the next
// file, and uses the GTIDs of lost transactions again. In what MariaDB and MySQL differ is
// Temperament. Commits remember what clients were told.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "binlog_store.h"
#include "control/stream/source_state.h"
#include "random.h"
#include "server_gtids.h"
#include "support/binlog_writer.h"
#include "temperament.h"
#include "trace.h"

namespace binlane::sim {

// What a client was told about its transaction.
enum class Answer : std::uint8_t {
  none,     // nothing yet, or nothing ever: the client does not know
  acked,    // OK, because a quorum is said to have it
  exposed,  // OK without a quorum
  foreign,  // OK by the ACK of a semi-sync client that is not ours
  unwaited  // OK, although nobody acknowledged it, because names were compared as text
};

struct Commit {
  std::uint64_t id = 0;
  std::uint64_t gtid = 0;    // sequence number
  Uuid writer;               // see ServerGtids
  std::uint64_t stream = 0;  // the number of RESETs before it
  Position begin;
  Position end;
  std::uint32_t crc = 0;  // of the commit's bytes
  Answer answer = Answer::none;
  std::uint64_t answered_ns = 0;
  bool lost = false;  // not in the binlog any more
  // In the engine as well: before it is answered where commits wait AFTER_COMMIT, and whatever is
  // in the binlog when a server starts.
  bool committed = false;
  // Written, or not synced, while sync_binlog was not 1; or answered by an ACK of binlogs that were
  // reset since, before anybody could know of that.
  bool unsafe = false;
  std::uint64_t visit = 0;  // of the foreign acker whose ACK answered it; 0: none did

  // No two transactions that were acknowledged have the same one.
  std::pair<Uuid, std::uint64_t> name() const { return {writer, gtid}; }
};

struct MysqldOptions {
  ServerKind kind = ServerKind::mariadb;
  Uuid uuid{{1}};              // MySQL's server_uuid
  bool orders_commits = true;  // MySQL's binlog_order_commits
  std::uint32_t first_file = 1;
  bool read_only_at_start = false;  // by its configuration
  bool enabled_at_start = true;     // semi-sync is ON by its configuration
  std::uint64_t timeout_ns = 4 * kNanosPerSecond;
  std::uint64_t second_piece_ns = 60'000;  // the longest time between two pieces of one group
  std::uint64_t max_file_bytes = 32 * 1024;
  std::uint64_t group_pause_ns = 20 * kNanosPerMilli;
  std::uint32_t largest_rows = 1500;
  bool after_commit_at_start = false;  // where commits wait, in its configuration
};

class Mysqld {
 public:
  Mysqld(const test::VirtualClock& clock, Random random, Trace& trace, BinlogStore& store,
         const MysqldOptions& options);

  // --- its life
  void start();
  // It has executed these as a replica, and begins binlogs of its own after them.
  void start_after(const GtidSet& executed);
  // It is no source's server any more: another stream replaces what it wrote.
  void forget();
  // kill -9. What the disk loses then is up to BinlogStore.
  void kill();
  void shut_down();
  bool up() const { return up_; }
  // It has ended itself after half a write, and was not started since.
  bool aborted() const { return aborted_; }
  std::uint32_t run() const { return run_; }
  std::size_t turn();
  std::uint64_t next_due_ns() const;
  std::uint64_t paused_until_ns = 0;  // the whole machine stands still

  // --- clients and operators
  bool busy = true;  // clients send transactions
  void kill_waiter();
  void flush_logs() { rotate_wanted_ = true; }
  // Begins this many files, with next to nothing in between.
  void storm(std::uint32_t rotations);
  // Connects a semi-sync client that is not ours. It acknowledges whatever it is sent, early.
  void connect_foreign();
  void disconnect_foreign();
  // The foreign client acknowledges bytes that are not written yet: this many after the newest
  // group.
  void acknowledge_ahead(std::uint64_t bytes);
  bool foreign_connected() const { return foreign_; }
  std::uint64_t foreign_visits() const { return foreign_visits_; }
  void purge_before(std::uint32_t file);
  // RESET MASTER (RESET BINARY LOGS AND GTIDS), or the same TO `first`. Returns false while a
  // commit waits.
  bool reset_master(std::uint32_t first = 1);
  // Half of the next group is written, and the rest is lost: the disk of the binlogs is full, and
  // the waiting client is killed. MariaDB continues after it when space is freed; MySQL ends
  // itself.
  void tear_next_group() { tear_wanted_ = true; }
  // The next file no longer lists the domain to which nobody writes.
  void delete_domain() {
    delete_domain_wanted_ = true;
    flush_logs();
  }
  // Clients send transactions, and the server accepts them.
  bool takes_writes() const { return busy && !read_only_ && !read_only_wanted_; }
  void set_sync_binlog(std::uint64_t value) { sync_binlog_ = value; }

  // --- what binlaned asks by SQL
  std::uint32_t first_file_of_run() const { return run_first_file_; }
  // The newest file in its index.
  std::uint32_t last_listed() const;
  std::uint64_t sync_binlog() const { return sync_binlog_; }
  bool enabled() const { return enabled_; }
  // Semi-sync is ON by the server's own settings, and by no statement since it started.
  bool enabled_by_settings() const { return enabled_ && !enabled_set_; }
  bool status_on() const { return enabled_ && status_on_; }
  const ServerCounters& counters() const { return counters_; }
  // Rpl_semi_sync_master_clients.
  std::uint64_t clients() const;
  // Rpl_semi_sync_master_wait_sessions.
  std::uint64_t wait_sessions() const;
  const Temperament& temperament() const { return temperament_; }
  bool compares_names_as_text() const { return temperament_.compares_names_as_text; }
  void set_enabled(bool on);
  // The timeout of waits that begin from now on, until the server ends.
  void set_timeout(std::uint64_t timeout_ns) { timeout_ns_ = timeout_ns; }
  void set_after_commit(bool after_commit) { after_commit_ = after_commit; }
  bool after_commit() const { return after_commit_; }
  // SET GLOBAL read_only=1 waits behind commits that wait, and blocks new ones meanwhile (S15).
  void begin_read_only();
  bool read_only_pending() const { return read_only_wanted_ && !read_only_; }
  bool read_only() const { return read_only_; }
  void lift_read_only() { read_only_ = read_only_wanted_ = false; }

  // --- the dump connection
  std::uint64_t dump_generation() const { return resets_; }
  // A registration acknowledges everything before `start`.
  void register_dump(Position start);
  void end_dump();
  // How far a dump thread that began at `start` has sent; null: it has sent nothing.
  Position dump_reach(Position start) const;
  void on_ack(Position position);

  // --- for checks
  std::function<void(const Commit&)> answered;
  const std::vector<Commit>& commits() const { return commits_; }
  // All that it has executed, by itself or as a replica.
  GtidSet executed() const { return gtids_.executed(); }
  const TemperamentCounts& temperament_counts() const { return counts_; }
  // The commit in which the position lies, its bounds aside; null: none.
  const Commit* around(Position position) const;
  std::uint64_t resets() const { return resets_; }
  // How often the server ended a wait by its own timeout.
  std::uint64_t timeouts() const { return timeouts_; }
  // The first half of a group is written, and the second is not.
  bool within_group() const { return stage_ == Stage::second_piece; }
  // A file exists that the index does not list yet.
  bool within_rotation() const { return unlisted_ != 0; }
  // The dump thread reads this file (0: none), so PURGE leaves it alone.
  void dump_reads(std::uint32_t file) { dump_file_ = file; }
  std::size_t waiting() const { return waiting_.size(); }
  // The file has a whole Rotate or Stop event at its end.
  bool ended(std::uint32_t file) const;
  // The server holds an ACK beyond the end of its binlogs, which was about binlogs that were reset.
  bool acked_too_much() const;
  // The end of everything that was written.
  Position written() const;
  // Where an existing file of this stream is torn in its middle; null: none is. No reader can have
  // the groups after that position.
  Position torn_at() const;

 private:
  // Of what writes the binlog: one group, rotation or rename at a time.
  enum class Stage : std::uint8_t { idle, second_piece, rotating, new_file, renaming };
  struct Group {
    Position end;
    std::vector<std::size_t> commits;  // indices
    bool after_commit = false;         // the engine has it before it waits
    bool waits = false;                // and is not only queued behind a group that does
    std::uint64_t since_ns = 0;        // of this wait
    std::uint64_t timeout_ns = 0;      // as well
  };
  struct Ending {  // the Rotate or Stop event of a file
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint32_t crc = 0;
  };

  std::size_t advance();
  std::size_t advance_idle();
  std::size_t advance_sync();
  // Semi-sync.
  void begin_waiting(Group group);
  void start_wait(Group& group);
  bool waits_one_by_one() const { return temperament_.waits_in_order && options_.orders_commits; }
  bool wait_is_over(const Group& group) const;
  std::optional<std::size_t> next_over();
  std::uint64_t counted(const Group& group) const;
  std::size_t answer_waiters();
  std::size_t work_foreign();
  static bool covers_as_text(const Position& acked, const Position& end);
  bool covers(const Position& end) const;
  Answer answer_of(const Group& group) const;
  void take_ack(const Position& position);
  void forget_acks();
  void forget_binlogs();
  // The binlog.
  Commit new_commit();
  void add_commit(Commit commit, ConstBytes bytes);
  Commit write_commit();
  void write_group();
  bool tear_group(const std::vector<std::byte>& bytes);
  void flush_group();
  void begin_sync();
  void finish_sync();
  bool may_rotate() const;
  void begin_rotation();
  void open_file(std::uint32_t number, std::uint32_t startup_s);
  std::uint32_t startup_s() const;
  void list_file();
  void end_file(bool stop);
  void begin_rename();
  void advance_rename();
  void answer(const Group& group, Answer answer);
  void recover();
  void trim_torn_file();
  bool survives(const Commit& commit) const;
  std::uint64_t sync_time() { return 80'000 + random_.below(300'000); }

  const test::VirtualClock& clock_;
  Random random_;
  Trace& trace_;
  BinlogStore& store_;
  MysqldOptions options_;
  const Temperament& temperament_;
  ServerGtids gtids_;
  TemperamentCounts counts_;
  bool up_ = false;
  bool aborted_ = false;
  std::uint32_t run_ = 0;
  std::uint32_t run_first_file_ = 0;
  std::uint32_t first_number_ = 1;  // of its binlogs, if there are none
  std::uint32_t file_ = 0;
  std::uint32_t unlisted_ = 0;  // the file that the index does not list yet; 0: none
  test::BinlogWriter writer_;
  // How much longer the open file is than the server believes, because it contains halves of torn
  // groups. The server's own positions, in events and for semi-sync, do not count these.
  std::uint64_t shift_ = 0;
  bool tear_wanted_ = false;
  bool delete_domain_wanted_ = false;
  std::map<std::uint32_t, std::uint64_t> torn_;  // file → offset
  std::uint64_t torn_at_ = 0;                    // begin and end of the last half group
  std::uint64_t torn_end_ = 0;
  std::map<std::uint32_t, Ending> endings_;
  Stage stage_ = Stage::idle;
  std::uint64_t due_ns_ = 0;
  bool rotate_wanted_ = false;
  std::vector<std::byte> second_piece_;
  // A large transaction whose cache file becomes the next binlog file.
  struct Rename {
    enum class Step : std::uint8_t { rotate, create, remove, rename, header, list, clear, xid };
    Step step = Step::rotate;
    Commit commit;
    test::BinlogWriter writer;      // of the new file
    std::uint64_t cached_size = 0;  // of the file without the commit's last event
  };
  std::optional<Rename> rename_;
  Group group_;  // that is being written
  // Groups that are written and whose end is not published. Of these, the first `syncing_` end with
  // the sync that is in progress.
  std::deque<Group> flushed_;
  std::size_t syncing_ = 0;
  std::uint64_t sync_due_ns_ = 0;
  std::uint64_t sync_end_ = 0;
  bool rotation_delayed_ = false;
  // At the wait point. If groups wait one by one, the second is queued behind the first.
  std::deque<Group> waiting_;
  Position dump_end_;
  std::uint32_t dump_file_ = 0;
  Position last_group_end_;
  std::uint64_t resets_ = 0;
  std::uint64_t timeouts_ = 0;
  std::uint64_t timeout_ns_ = 0;
  bool after_commit_ = false;  // where commits wait
  // Semi-sync.
  bool enabled_ = false;
  bool enabled_set_ = false;  // by a statement in this run
  bool status_on_ = false;
  bool read_only_ = false;
  bool read_only_wanted_ = false;  // by a statement
  Position acked_;                 // the furthest ACK, as the server compares
  Position own_acked_;             // Binlane's furthest ACK
  Position foreign_acked_;         // the foreign client's furthest ACK
  ServerCounters counters_;
  std::uint64_t sync_binlog_ = 1;
  // For each thread of a dump connection of ours: when it ends.
  std::vector<std::uint64_t> threads_;
  bool foreign_ = false;
  std::uint64_t foreign_visits_ = 0;
  Position foreign_sent_;
  // Each with the time when it is due.
  std::deque<std::pair<std::uint64_t, Position>> foreign_acks_;
  std::uint32_t storm_ = 0;  // rotations that are still to come
  // What is true, for the checks.
  std::vector<Commit> commits_;
  std::map<Position, std::size_t> by_end_;  // commits of this stream that are not lost
};

}  // namespace binlane::sim
