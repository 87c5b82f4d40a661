// Whether the server of a standby could take over: what a promotion requires of it, and what would
// delay it, seen beforehand. The reading needs a connection; the judgement is pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "shim/server/server_connection.h"
#include "shim/server/server_facts.h"

namespace binlane {

// The topic of a finding about the account's privileges.
inline constexpr const char* kPrivileges = "privileges";

struct StandbyFacts {
  ServerFlavour flavour = ServerFlavour::mariadb;
  std::string account;               // CURRENT_USER(), for the GRANT that we propose
  std::set<std::string> privileges;  // global ones, in capitals
  bool read_only = false;            // refuses all writes: in MySQL, super_read_only
  bool log_updates = false;          // log_slave_updates, log_replica_updates
  bool gtid_rule = false;            // gtid_strict_mode, gtid_mode
  // The replication connection, as SHOW SLAVE STATUS or SHOW REPLICA STATUS has it.
  struct Follows {
    std::string host;
    std::string port;
    std::string connect_retry;
    std::string by_gtid;
    std::string io_running;
    std::string sql_running;
    std::string error;
  };
  std::optional<Follows> follows;  // nothing: it follows no source
  std::string unseen;              // why that could not be read
};

struct StandbyFactsResult {
  SqlError error;
  StandbyFacts facts;
};

StandbyFactsResult read_standby_facts(ServerConnection& connection);

// `feed`: host and port of this host's feed, which the server should follow. Refusals: a promotion
// could not be carried out. Warnings: a promotion would wait, or the host is not safe until then.
SourceCheck check_standby(const StandbyFacts& facts, const std::string& feed);

}  // namespace binlane
