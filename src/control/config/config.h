// The configuration of a binlaned: what stands in its TOML file, typed and checked.
//
// The defaults are the initialisers below and nowhere else; names, units, bounds and reasons of the
// keys stand in control/config_keys.cpp. Loaded once while starting up; constant afterwards.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/secret.h"
#include "control/fallback_mode.h"
#include "control/idle.h"
#include "control/other_ackers_rule.h"
#include "dataplane/eal.h"
#include "dataplane/fault_injector.h"
#include "dataplane/port.h"
#include "dataplane/port_config.h"
#include "dataplane/quorum_rule.h"
#include "shim/semi_sync_control.h"

namespace binlane {

enum class LaneMode : std::uint8_t { shared, dedicated };

std::string to_string(const PortSpec& port);

struct LaneConfig {
  LaneMode mode = LaneMode::shared;
  IdleStrategy idle = IdleStrategy::automatic;
  std::uint64_t nap_us = 50;
  std::int64_t cpu = -1;  // -1: not pinned
  bool give_way = true;
};

// What becomes of commits that are released without a quorum, on the replicas that have them
// (safety rule S10).
enum class DegradedRelease : std::uint8_t {
  release,  // their servers apply them; a promotion without them makes such a replica DIVERGED
  hold      // they keep them in the journal until a quorum has them, as long as it has room
};

struct SourceReplicaConfig {
  std::string name;
  PortSpec port;
  Endpoint local_address;
  Endpoint address;
  std::string zone;   // empty: none
  std::string mac;    // empty: asked for by ARP
  unsigned line = 0;  // where its table begins in the file, for messages
};

struct SourceConfig {
  // A host that has no role on record yet begins as a standby, and is a source only once it is
  // promoted.
  bool standby = false;
  std::string server_socket;
  std::string server_user = "binlane";
  std::string server_password_file;
  Secret server_password;
  std::uint64_t acker_server_id = 0;
  std::string quorum_text;  // as written
  QuorumRule quorum;        // what it says, over `replicas` in order
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
  std::vector<std::string> sources;  // whom it hears (control/peer_config.h); empty: not said
  std::string journal;               // empty in the file: data_dir/journal
  std::uint64_t journal_size_mb = 64;
  std::string archive;  // empty in the file: data_dir/archive
  // What of the archive is deleted, once nobody needs it (storage/archive_retention.h).
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
  // Empty in the file: admin.sock in the folder that systemd made for it (RUNTIME_DIRECTORY), and
  // without systemd in data_dir.
  std::string admin_socket;
  std::string admin_group;     // empty: root and our own user alone
  std::string view_group;      // empty: whoever may open the socket
  std::string metrics_listen;  // empty: no endpoint
  log::Format log_format = log::Format::logfmt;
  log::Level log_level = log::Level::info;
  LaneConfig lane;
  EalConfig eal;
  std::optional<SourceConfig> source;
  std::optional<ReplicaConfig> replica;
  FaultConfig faults;
  // What is legal but worth a line in the log.
  std::vector<std::string> warnings;
};

// What the server's own timeout adds to ours when it is not given, and the least it must add
// (safety rule S13: ours ends first, the server's is the backstop).
inline constexpr std::uint64_t kServerTimeoutSlackMs = 5'000;
inline constexpr std::uint64_t kServerTimeoutMarginMs = 1'000;
static_assert(kServerTimeoutSlackMs >= kServerTimeoutMarginMs);

// A replica counts as slow after this part of the timeout, where nothing else is given.
inline constexpr std::uint64_t kSlowPartOfTimeout = 4;

// Reads and checks the file, and the password files it names. Throws ConfigurationError that lists
// every fault found (up to a bound), one a line: "file:line: key: what was found, what was
// expected". The file is refused where somebody else than root and the reader could have written
// it.
Config load_config(const std::string& path);

// The same for text that came from `path`; for tests and the check of a proposed file.
Config parse_config(std::string_view text, const std::string& path);

// Checks the source's settings against one another, as after a change of one of them, and works out
// the quorum rule anew. What is wrong with them ("source.server_timeout_ms: …"), or an empty text.
std::string recheck_source(Config& config);

// What is wrong with the replica's settings that may change while it runs, or an empty text.
std::string recheck_replica(const Config& config);

// The effective configuration as a TOML file with unit, bounds and reason beside every key. Reading
// it again gives the same configuration. Passwords are never printed.
std::string print_config(const Config& config);

}  // namespace binlane
