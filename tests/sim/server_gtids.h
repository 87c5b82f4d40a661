// ServerGtids: the names that a simulated server gives to its transactions, and what its binlogs
// say about them: MariaDB's sequence numbers, which all servers continue, or MySQL's numbers of one
// server's UUID.
#pragma once

#include <cstdint>
#include <utility>

#include "base/uuid.h"
#include "shim/binlog/gtid_set.h"
#include "support/binlog_writer.h"

namespace binlane::sim {

class ServerGtids {
 public:
  ServerGtids(GtidGrammar grammar, const Uuid& server);

  // The server has executed these as a replica, and none of its own after them.
  void begin_after(const GtidSet& executed);
  // RESET: no transaction was ever executed.
  void reset();
  // FLUSH BINARY LOGS DELETE_DOMAIN_ID, of the domain to which nobody writes. MySQL has none.
  void delete_idle_domain() { has_idle_domain_ = false; }

  // The next transaction's number, and the first that was given since begin_after() or reset().
  std::uint64_t next() const { return next_; }
  std::uint64_t first() const { return first_; }
  std::uint64_t take() { return next_++; }
  // Recovery: numbers from this one on are given again.
  void go_on_at(std::uint64_t next) { next_ = next; }
  // What tells a number from the same one of another server; null where all servers share them.
  Uuid writer() const { return is_mysql() ? server_ : Uuid{}; }

  // Everything that the server has executed, by itself or as a replica.
  GtidSet executed() const;
  // The first events of a file. `startup_s`: 0 if it does not begin a run of the server.
  void begin_file(test::BinlogWriter& writer, std::uint32_t startup_s) const;
  // The first event of a group. `alone`: one statement follows, and no transaction.
  void begin_group(test::BinlogWriter& writer, std::uint64_t number, bool alone) const;

 private:
  bool is_mysql() const { return grammar_ == GtidGrammar::mysql; }

  const GtidGrammar grammar_;
  const Uuid server_;
  GtidSet replicated_;  // before first_
  std::uint64_t first_ = 1;
  std::uint64_t next_ = 1;
  bool has_idle_domain_ = true;
};

}  // namespace binlane::sim
