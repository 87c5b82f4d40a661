// Whether the server of a standby could take over: what a promotion asks of it, and what would hold
// it up, seen beforehand. The reading needs a connection; the judgement is pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "shim/server_connection.h"
#include "shim/server_facts.h"

namespace binlane {

// The topic of a finding about the account's privileges.
inline constexpr const char* kPrivileges = "privileges";

struct StandbyFacts {
  std::string account;               // CURRENT_USER(), for the GRANT we propose
  std::set<std::string> privileges;  // global ones, in capitals
  bool read_only = false;
  bool log_slave_updates = false;
  bool gtid_strict_mode = false;
  // The replication connection, as SHOW SLAVE STATUS has it.
  struct Follows {
    std::string host;
    std::string port;
    std::string connect_retry;
    std::string using_gtid;
    std::string io_running;
    std::string sql_running;
    std::string error;
  };
  std::optional<Follows> follows;  // nothing: it follows nobody
  std::string unseen;              // why that could not be read
};

struct StandbyFactsResult {
  SqlError error;
  StandbyFacts facts;
};

StandbyFactsResult read_standby_facts(ServerConnection& connection);

// `feed`: host and port of this host's feed, which the server should follow. Refusals: a promotion
// could not be carried out. Warnings: it would wait, or the time until then is not safe.
SourceCheck check_standby(const StandbyFacts& facts, const std::string& feed);

}  // namespace binlane
