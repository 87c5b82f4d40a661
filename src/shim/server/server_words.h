// ServerWords: what Binlane says to a database server, and to operators about it, in the words that
// this server understands.
//
// MariaDB says master and slave. MySQL says source and replica, and from version 9 on nothing else.
// The words are chosen once, by the server's version; no other code asks for the flavour in order
// to find words. tests/system/server_words_check.cpp runs every statement on a real server of each
// flavour. Plain constants and pure functions: any thread.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "shim/binlog/gtid_set.h"

namespace binlane {

enum class ServerFlavour { mariadb, mysql };

// From the version as the server words it: "10.11.19-MariaDB-log", "9.7.4".
ServerFlavour flavour_of(std::string_view version);

// A global privilege, as SHOW GRANTS names it.
struct Privilege {
  const char* name;
  bool in_super;  // SUPER is sufficient as well
};

// The address and account by which a server replicates from the feed on its own host.
struct FeedAddress {
  std::uint16_t port = 0;
  std::string user;
  Secret password;
};

struct ServerWords {
  ServerFlavour flavour;

  const char* status_table;  // with VARIABLE_NAME and VARIABLE_VALUE

  // --- variables
  const char* fence;             // what makes it refuse all writes; read_only=0 ends it
  const char* semi_sync_enable;  // what makes it wait for replicas
  const char* log_updates;       // its own binlog contains what it executes as a replica
  const char* gtid_rule;         // keeps its GTIDs in order; a standby should have it ON
  bool gtid_rule_required;       // without it, its transactions have no GTIDs

  const char* fence_exempts;  // the privilege to write all the same; null: there is none

  // --- statements without parameters
  const char* show_replicas;  // the registered ones; columns 1 and 2: server_id and host
  const char* show_replica_status;
  const char* stop_replica;
  const char* start_replica;
  const char* forget_source;   // after stop_replica: it follows no source any more
  const char* executed_gtids;  // what it has executed as a replica; one value
  const char* written_gtids;   // what its own binlog contains; one value
  bool tells_own_writes;       // the two differ by what it has written by itself
  const char* reset_binlogs;   // begins at binlog 1, with no GTIDs

  // --- columns of show_replica_status
  const char* source_host;
  const char* source_port;
  const char* connect_retry;
  const char* by_gtid;        // whether it asks its source by GTID …
  const char* by_gtid_value;  // … which this value says
  const char* io_running;
  const char* sql_running;

  // --- for operators
  const char* counted;            // what one of semi-sync's yes_tx and no_tx is
  const char* change_source;      // the statement's first words
  const char* change_by_gtid;     // its option
  const char* change_retry_1s;    // its option
  const char* gtid_rule_remedy;   // how gtid_rule is switched on
  const char* replica_semi_sync;  // of another replica: what makes it acknowledge

  // --- privileges of Binlane's account
  const char* replica_status_privilege;  // for show_replica_status
  std::span<const Privilege> source_privileges;
  std::span<const Privilege> standby_privileges;  // besides those of a source
};

// "a@b", as the server tells an account, as 'a'@'b'.
std::string quoted_account(const std::string& account);
// Which of these an account with the given global privileges lacks: "A, B"; empty: none.
std::string missing_privileges(const std::set<std::string>& granted,
                               std::span<const Privilege> needed);

const ServerWords& words_of(ServerFlavour flavour) noexcept;
// How this server writes GTIDs and sets of them.
GtidGrammar grammar_of(const ServerWords& words) noexcept;

// Why a server can do nothing with binlogs of this kind; empty: it can.
std::string kind_mismatch(const ServerWords& words, GtidGrammar binlogs);

// "CAST(…)": the value of a global variable as text that can stand in a UNION with the columns of
// status_table.
std::string variable_as_text(const ServerWords& words, std::string_view variable);

// One row: a global variable's value ("ON"); 1 if the server has had it since it started, by its
// own settings; and 1 if its counters count from then on.
std::string on_since_start_sql(const ServerWords& words, std::string_view variable);

// Makes the server refuse all writes. The last statement waits in the server for commits that wait
// for a quorum, and fails with 1205 after `wait_s`. They belong on one connection.
std::vector<std::string> fence_statements(const ServerWords& words, unsigned wait_s);

// Returns at once, or when the server has executed `gtids`, or after `wait_s`. What it returns does
// not tell.
std::string wait_executed_sql(const ServerWords& words, std::string_view gtids, double wait_s);

// Makes the server replicate from a feed on its host, after stop_replica. `gtids`: where it begins,
// if the server does not know by itself; empty: there. The password is the last option of the last
// statement.
std::vector<std::string> follow_statements(const ServerWords& words, const FeedAddress& feed,
                                           std::string_view gtids);
// The same statement without its password, for people.
std::string without_password(const std::string& statement);

}  // namespace binlane
