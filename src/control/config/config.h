// The configuration of a binlaned: the content of its TOML file, typed and checked.
//
// The defaults are the initialisers below and nowhere else; names, units, bounds and reasons of the
// keys are in control/config/config_keys.cpp. Loaded once while starting up; constant afterwards.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/secret.h"
#include "control/config/fallback_mode.h"
#include "control/config/other_ackers_rule.h"
#include "dataplane/lane/idle_strategy.h"
#include "dataplane/port/eal.h"
#include "dataplane/port/fault_injector.h"
#include "dataplane/port/port.h"
#include "dataplane/port/port_config.h"
#include "dataplane/session/quorum_rule.h"
#include "shim/server/semi_sync_control.h"

namespace binlane {

enum class LaneMode : std::uint8_t { shared, dedicated };

std::string to_string(const PortSpec& port);

struct LaneConfig {
  LaneMode mode = LaneMode::shared;
  IdleMode idle = IdleMode::automatic;
  std::uint64_t nap_us = 50;
  std::int64_t cpu = -1;  // -1: not pinned
  bool give_way = true;
};

// What replicas do with commits that are released without a quorum. [S10]
enum class DegradedRelease : std::uint8_t {
  release,  // their servers apply them; a promotion without them makes such a replica DIVERGED
  hold  // they keep them in the journal until a quorum has them, as long as the journal has room
};

struct SourceReplicaConfig {
  std::string name;
  PortSpec port;
  Endpoint local_address;
  Endpoint address;
  std::string zone;   // empty: none
  std::string mac;    // empty: binlaned asks by ARP
  unsigned line = 0;  // where its table begins in the file, for messages
};

struct SourceConfig {
  // A host that has no role on record yet begins as a standby, and becomes a source only by a
  // promotion.
  bool standby = false;
  std::string server_socket;
  std::string server_user = "binlane";
  std::string server_password_file;
  Secret server_password;
  std::uint64_t acker_server_id = 0;
  std::string quorum_text;  // as written
  QuorumRule quorum;        // its meaning, over `replicas` in order
  std::uint64_t timeout_ms = 10'000;
  FallbackMode fallback = FallbackMode::degrade;
  std::uint64_t server_timeout_ms = 0;  // 0: timeout_ms + kServerTimeoutSlackMs
  WaitPoint wait_point = WaitPoint::after_sync;
  OtherAckersRule other_ackers = OtherAckersRule::report;
  DegradedRelease degraded_release = DegradedRelease::release;
  std::uint64_t recover_after_ms = 200;
  std::uint64_t recover_backoff_max_ms = 60'000;
  std::uint64_t caught_up_bytes = std::uint64_t{1024} * 1024;
  std::uint64_t slow_after_ms = 0;  // 0: timeout_ms / kSlowPartOfTimeout
  std::vector<SourceReplicaConfig> replicas;

  std::uint64_t effective_server_timeout_ms() const noexcept;
  std::uint64_t effective_slow_after_ms() const noexcept;
  std::vector<std::string> replica_names() const;
  std::vector<std::string> replica_zones() const;
};

struct ReplicaConfig {
  PortSpec port;
  Endpoint address;
  std::vector<std::string>
      sources;          // which hosts it hears (control/config/peer_config.h); empty: not given
  std::string journal;  // empty in the file: data_dir/journal
  std::uint64_t journal_size_mb = 64;
  std::string archive;  // empty in the file: data_dir/archive
  // Which archived files are deleted, once nobody needs them (storage/archive/archive_retention.h).
  std::uint64_t archive_keep_days = 7;
  std::uint64_t archive_keep_mb = 0;
  std::uint64_t archive_keep_for_absent_mb = 1024;
  std::uint64_t archive_min_free_mb = 256;
  Endpoint feed_listen{0x7f000001, 3401};
  std::string feed_user = "binlane";
  std::string feed_password_file;
  Secret feed_password;
  std::uint64_t feed_server_id = 0;
  // The local server, for rules of level `applied`; empty: the [source] section's, if there is one.
  std::string server_socket;
  std::string server_user = "binlane";
  std::string server_password_file;
  Secret server_password;
  bool danger_buffered_journal = false;
};

struct Config {
  std::string name;
  std::string cluster;
  std::string data_dir;
  // If it is missing in the file: admin.sock in the folder that systemd created for it
  // (RUNTIME_DIRECTORY), and without systemd in data_dir.
  std::string admin_socket;
  std::string admin_group;     // empty: only root and our own user
  std::string view_group;      // empty: whoever may open the socket
  std::string metrics_listen;  // empty: no endpoint
  log::Format log_format = log::Format::logfmt;
  log::Level log_level = log::Level::info;
  LaneConfig lane;
  EalConfig eal;
  std::optional<SourceConfig> source;
  std::optional<ReplicaConfig> replica;
  FaultConfig faults;
  // What is legal but deserves a line in the log.
  std::vector<std::string> warnings;
};

// What the server's own timeout adds to ours if it is not given, and the least it must add: ours
// ends first, and the server's is the backstop. [S13]
inline constexpr std::uint64_t kServerTimeoutSlackMs = 5'000;
inline constexpr std::uint64_t kServerTimeoutMarginMs = 1'000;
static_assert(kServerTimeoutSlackMs >= kServerTimeoutMarginMs);

// A replica counts as slow after this part of the timeout, if nothing else is given.
inline constexpr std::uint64_t kSlowPartOfTimeout = 4;

// Reads and checks the file, and the password files that it names. Throws a ConfigurationError that
// lists every fault found (up to a bound), one a line: "file:line: key: what was found, what was
// expected". It refuses a file that anybody except root and the reader could have written.
Config load_config(const std::string& path);

// The same for text that came from `path`; for tests and the check of a proposed file.
Config parse_config(std::string_view text, const std::string& path);

// Checks the source's settings against one another, as after a change of one of them, and computes
// the quorum rule anew. Returns what is wrong with them ("source.server_timeout_ms: …"), or an
// empty text.
std::string recheck_source(Config& config);

// Returns what is wrong with the replica's settings that may change while it runs, or an empty
// text.
std::string recheck_replica(const Config& config);

// The effective configuration as a TOML file with unit, bounds and reason beside every key. Reading
// it again gives the same configuration. Passwords are never printed.
std::string print_config(const Config& config);

}  // namespace binlane
