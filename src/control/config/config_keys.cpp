#include "control/config/config_keys.h"

#include <array>

#include "dataplane/session/peer_list.h"
#include "dataplane/session/session_limits.h"

namespace binlane {
namespace {

constexpr double kMaxU32 = 4294967295.0;
constexpr double kMaxPath = 4096;
constexpr double kMaxText = 4096;
constexpr double kMaxNameBound = 64;
constexpr double kDayMs = 24.0 * 3600 * 1000;
constexpr double kYearMs = 365 * kDayMs;
// Less than 1, because nothing could be tested if every datagram were lost.
constexpr double kMaxProbability = 0.99;
constexpr double kMaxArchiveMb = 1024.0 * 1024 * 1024;  // a pebibyte
// More than what separates two sites: beyond this a replica is not remote but dead.
constexpr double kMaxFaultDelayUs = 1e6;
constexpr KeyBounds kAnything{0, kMaxText};
constexpr KeyBounds kPath{1, kMaxPath};
constexpr KeyBounds kOptionalPath{0, kMaxPath};
constexpr KeyBounds kSocketPath{1, 107};
constexpr KeyBounds kName{1, kMaxNameBound};
constexpr KeyBounds kUnbounded{0, 0};
constexpr auto kOptional = KeyNeed::optional;
constexpr auto kRequired = KeyNeed::required;
constexpr auto kLive = KeyChange::live;

constexpr std::array<std::string_view, 4> kLogLevels = {"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 2> kLogFormats = {"logfmt", "json"};
constexpr std::array<std::string_view, 2> kLaneModes = {"shared", "dedicated"};
constexpr std::array<std::string_view, 4> kIdleStrategies = {"auto", "spin", "yield", "nap"};
constexpr std::array<std::string_view, 2> kDegradedReleases = {"release", "hold"};
constexpr std::array<std::string_view, 3> kFallbackModes = {"degrade", "block", "fail"};
constexpr std::array<std::string_view, 2> kOtherAckersRules = {"report", "refuse"};
constexpr std::array<std::string_view, 2> kWaitPoints = {"AFTER_SYNC", "AFTER_COMMIT"};

// A Choice for a member that is an enumeration, its words in the order of the enumerators.
template <class Section, auto Member, std::size_t N>
Choice<Section> choice(const std::array<std::string_view, N>& words) {
  return {words,
          [](Section& section, std::size_t index) {
            using Enum = std::remove_reference_t<decltype(section.*Member)>;
            section.*Member = static_cast<Enum>(index);
          },
          [](const Section& section) { return static_cast<std::size_t>(section.*Member); }};
}

}  // namespace

std::span<const ConfigKey<Config>> top_level_keys() {
  static const ConfigKey<Config> keys[] = {
      {"name", &Config::name, "", kName, kRequired,
       "this host's name; a source's quorum rule and status refer to replicas by their names"},
      {"cluster", &Config::cluster, "", kName, kRequired,
       "hosts of another cluster are refused, so that two set-ups on one network never mix"},
      {"data_dir", &Config::data_dir, "", kPath, kRequired,
       "folder for what must survive a restart: ledger, epoch, positions, journal, archive"},
      {"admin_socket", &Config::admin_socket, "", kOptionalPath, kOptional,
       "unix socket that the program binlane connects to; if it is missing: admin.sock in "
       "/run/binlane under systemd (RUNTIME_DIRECTORY), in data_dir otherwise"},
      {"admin_group",
       &Config::admin_group,
       "",
       {0, kMaxNameBound},
       kOptional,
       "members of this group may change things through the admin socket, as may root and the user "
       "that binlaned runs as; everybody else who can connect may only read"},
      {"view_group",
       &Config::view_group,
       "",
       {0, kMaxNameBound},
       kOptional,
       "only members of this group, and operators, may read through the admin socket; if it is "
       "missing: whoever may open the socket may read"},
      {"metrics_listen",
       &Config::metrics_listen,
       "",
       {0, kMaxNameBound},
       kOptional,
       "address:port of the Prometheus endpoint, such as 127.0.0.1:9632; if it is missing: no "
       "endpoint"},
      {"log_format", choice<Config, &Config::log_format>(kLogFormats), "", kUnbounded, kOptional,
       "format of the log's lines"},
      {"log_level", choice<Config, &Config::log_level>(kLogLevels), "", kUnbounded, kOptional,
       "lines below this level are not written", kLive},
  };
  return keys;
}

std::span<const ConfigKey<LaneConfig>> lane_keys() {
  static const ConfigKey<LaneConfig> keys[] = {
      {"mode", choice<LaneConfig, &LaneConfig::mode>(kLaneModes), "", kUnbounded, kOptional,
       "shared: one thread for all lanes; dedicated: a thread for the source's lane and one for "
       "the replica's"},
      {"idle", choice<LaneConfig, &LaneConfig::idle>(kIdleStrategies), "", kUnbounded, kOptional,
       "what an idle lane does; use spin only with cores to spare, because it can stall the disk"},
      {"nap_us",
       &LaneConfig::nap_us,
       "us",
       {1, 100'000},
       kOptional,
       "length of one sleep of an idle lane"},
      {"cpu",
       &LaneConfig::cpu,
       "",
       {-1, 1023},
       kOptional,
       "core to pin the lane to; -1: let the kernel choose"},
      {"give_way", &LaneConfig::give_way, "", kUnbounded, kOptional,
       "on fewer than 4 cores: the kernel prefers the server's threads to this daemon's"},
  };
  return keys;
}

std::span<const ConfigKey<EalConfig>> eal_keys() {
  static const ConfigKey<EalConfig> keys[] = {
      {"arguments",
       &EalConfig::arguments,
       "",
       {0, 64},
       kOptional,
       "arguments of DPDK's environment layer; the default needs neither hugepages nor root"},
  };
  return keys;
}

std::span<const ConfigKey<SourceConfig>> source_keys() {
  using S = SourceConfig;
  static const ConfigKey<S> keys[] = {
      {"server_socket", &S::server_socket, "", kSocketPath, kRequired,
       "unix socket of the database server whose commits wait"},
      {"standby", &S::standby, "", kUnbounded, kOptional,
       "if no role is on record yet: hold another source's stream until this host is promoted"},
      {"server_user",
       &S::server_user,
       "",
       {1, 128},
       kOptional,
       "account with the rights to replicate and to set the semi-sync variables"},
      {"server_password_file", &S::server_password_file, "", kOptionalPath, kOptional,
       "file with that account's password on its only line; mode 0600 or 0640"},
      {"server_password", &S::server_password, "", kAnything, kOptional,
       "the password itself; prefer server_password_file"},
      {"acker_server_id",
       &S::acker_server_id,
       "",
       {1, kMaxU32},
       kRequired,
       "server_id under which binlaned registers as a semi-sync replica; no server may use it"},
      {"quorum",
       &S::quorum_text,
       "",
       {1, kMaxText},
       kRequired,
       "which replicas must have a commit on stable storage, such as ANY 1 (r1, r2)",
       kLive},
      {"timeout_ms",
       &S::timeout_ms,
       "ms",
       {10, kYearMs},
       kOptional,
       "how long a commit waits for the quorum without progress before semi-sync is switched off",
       kLive},
      {"fallback", choice<S, &S::fallback>(kFallbackModes), "", kUnbounded, kOptional,
       "what happens after timeout_ms; degrade: commits go on without a quorum, recorded in the "
       "ledger; block: they wait until the server's own timeout; fail: the server is made "
       "read-only first",
       kLive},
      {"server_timeout_ms",
       &S::server_timeout_ms,
       "ms",
       {0, kYearMs + kDayMs},
       kOptional,
       "the server's own timeout, the backstop if binlaned dies; 0: timeout_ms + 5000; at least "
       "timeout_ms + 1000",
       kLive},
      {"wait_point", choice<S, &S::wait_point>(kWaitPoints), "", kUnbounded, kOptional,
       "where commits wait, as in MySQL; under AFTER_COMMIT others see rows before the quorum has "
       "them",
       kLive},
      {"other_ackers", choice<S, &S::other_ackers>(kOtherAckersRules), "", kUnbounded, kOptional,
       "what to do while another semi-sync client of the server acknowledges commits too; report: "
       "the state is FOREIGN_ACKER; refuse: semi-sync is switched off until that client is gone; "
       "the ledger records both",
       kLive},
      {"degraded_release", choice<S, &S::degraded_release>(kDegradedReleases), "", kUnbounded,
       kOptional,
       "what replicas do without a quorum; release: they apply what they have; hold: they keep it "
       "until a quorum has it, or their journal is full"},
      {"recover_after_ms",
       &S::recover_after_ms,
       "ms",
       {0, 600'000},
       kOptional,
       "how long the quorum must keep up before semi-sync is switched on again",
       kLive},
      {"recover_backoff_max_ms",
       &S::recover_backoff_max_ms,
       "ms",
       {0, 3'600'000},
       kOptional,
       "recover_after_ms doubles while semi-sync flaps, up to this",
       kLive},
      {"caught_up_bytes",
       &S::caught_up_bytes,
       "bytes",
       {0, 1024.0 * 1024 * 1024},
       kOptional,
       "a quorum that lags the source's binlog by no more than this counts as keeping up",
       kLive},
      {"slow_after_ms",
       &S::slow_after_ms,
       "ms",
       {0, kYearMs},
       kOptional,
       "a replica that keeps a commit waiting this long while others have it counts as slow, and "
       "FIRST skips it; 0: a quarter of timeout_ms",
       kLive},
  };
  return keys;
}

std::span<const ConfigKey<SourceReplicaConfig>> source_replica_keys() {
  using S = SourceReplicaConfig;
  static const ConfigKey<S> keys[] = {
      {"name", &S::name, "", kName, kRequired, "the replica's name, as in the quorum rule"},
      {"port", &S::port, "", kUnbounded, kRequired,
       "what carries the datagrams to it; replicas with the same text share one port"},
      {"local_address", &S::local_address, "", kUnbounded, kRequired,
       "this host's address and UDP port on that port"},
      {"address", &S::address, "", kUnbounded, kRequired, "the replica's address and UDP port"},
      {"zone",
       &S::zone,
       "",
       {0, kMaxNameBound},
       kOptional,
       "what fails together with this replica, such as its room; 1 FROM EACH zone refers to it"},
      {"mac",
       &S::mac,
       "",
       {0, 17},
       kOptional,
       "its MAC address on a dpdk: port, such as 02:00:00:00:00:01; if it is missing: binlaned "
       "asks by ARP, which any host on the link can answer"},
  };
  return keys;
}

std::span<const ConfigKey<ReplicaConfig>> replica_keys() {
  using S = ReplicaConfig;
  static const ConfigKey<S> keys[] = {
      {"port", &S::port, "", kUnbounded, kRequired, "what carries the datagrams from the source"},
      {"address", &S::address, "", kUnbounded, kRequired, "this host's address and UDP port on it"},
      {"sources",
       &S::sources,
       "",
       {0, PeerList::kMaxPeers},
       kOptional,
       "the hosts that may be the source: \"address\", \"address:port\" or, on a dpdk: port, "
       "\"address:port@MAC\"; datagrams of all others are dropped unread; if it is missing: on "
       "\"udp\" the replicas of the [source] section, if there is one, else anybody",
       kLive},
      {"journal", &S::journal, "", kOptionalPath, kOptional,
       "file in which the binlog bytes are durable before they are acknowledged; if it is missing: "
       "data_dir/journal"},
      {"journal_size_mb",
       &S::journal_size_mb,
       "MiB",
       {1, static_cast<double>(kMaxJournalBytes >> 20)},
       kOptional,
       "size of the journal's ring: how far the archive may lag"},
      {"archive", &S::archive, "", kOptionalPath, kOptional,
       "folder for the byte-identical copies of the source's binlogs; if it is missing: "
       "data_dir/archive"},
      {"archive_keep_days",
       &S::archive_keep_days,
       "days",
       {0, 36'500},
       kOptional,
       "archived files older than this are deleted, once neither the local server nor a replica "
       "needs them; 0: age alone deletes nothing",
       kLive},
      {"archive_keep_mb",
       &S::archive_keep_mb,
       "MiB",
       {0, kMaxArchiveMb},
       kOptional,
       "while the archive is larger than this, its oldest files are deleted, once neither the "
       "local server nor a replica needs them; 0: the archive has no limit",
       kLive},
      {"archive_keep_for_absent_mb",
       &S::archive_keep_for_absent_mb,
       "MiB",
       {0, kMaxArchiveMb},
       kOptional,
       "newest part of the archive that is always kept, for replicas that are away and may need it "
       "after a promotion",
       kLive},
      {"archive_min_free_mb",
       &S::archive_min_free_mb,
       "MiB",
       {0, kMaxArchiveMb},
       kOptional,
       "while the archive's file system has less room than this, files that nobody needs are "
       "deleted whatever their age; 0: room alone deletes nothing",
       kLive},
      {"feed_listen", &S::feed_listen, "", kUnbounded, kOptional,
       "TCP address at which the local database server replicates from binlaned"},
      {"feed_user",
       &S::feed_user,
       "",
       {1, 80},
       kOptional,
       "user that the local database server must log in as"},
      {"feed_password_file", &S::feed_password_file, "", kOptionalPath, kOptional,
       "file with that user's password on its only line; mode 0600 or 0640"},
      {"feed_password", &S::feed_password, "", kAnything, kOptional,
       "the password itself; prefer feed_password_file"},
      {"feed_server_id",
       &S::feed_server_id,
       "",
       {0, kMaxU32},
       kOptional,
       "server_id that the feed shows to the local server; must differ from that server's own; 0: "
       "the source's server_id, as its binlog says"},
      {"server_socket", &S::server_socket, "", kOptionalPath, kOptional,
       "unix socket of the local database server; binlaned asks it what it has executed, for "
       "quorum rules of level applied and before an archived file is deleted; if it is missing: "
       "the [source] section's server"},
      {"server_user",
       &S::server_user,
       "",
       {1, 128},
       kOptional,
       "account there; it needs no privileges"},
      {"server_password_file", &S::server_password_file, "", kOptionalPath, kOptional,
       "file with that account's password on its only line; mode 0600 or 0640"},
      {"server_password", &S::server_password, "", kAnything, kOptional,
       "the password itself; prefer server_password_file"},
      {"danger_buffered_journal", &S::danger_buffered_journal, "", kUnbounded, kOptional,
       "writes the journal through the page cache, for file systems that refuse O_DIRECT; for "
       "tests"},
  };
  return keys;
}

std::span<const ConfigKey<FaultConfig>> fault_keys() {
  using S = FaultConfig;
  static const ConfigKey<S> keys[] = {
      {"loss",
       &S::loss,
       "probability",
       {0, kMaxProbability},
       kOptional,
       "datagrams thrown away, for tests"},
      {"duplicate",
       &S::duplicate,
       "probability",
       {0, kMaxProbability},
       kOptional,
       "datagrams sent twice, for tests"},
      {"reorder",
       &S::reorder,
       "probability",
       {0, kMaxProbability},
       kOptional,
       "datagrams delayed until after later ones, for tests"},
      {"delay_us",
       &S::delay_us,
       "us",
       {0, kMaxFaultDelayUs},
       kOptional,
       "how much later every datagram arrives, as from a remote site"},
      {"seed", &S::seed, "", {0, kMaxU32}, kOptional, "makes the injected faults repeatable"},
  };
  return keys;
}

}  // namespace binlane
