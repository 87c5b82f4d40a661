#include "control/config/config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/bytes.h"
#include "base/error.h"
#include "control/config/config_keys.h"
#include "control/config/config_reader.h"
#include "control/config/config_value.h"
#include "control/config/configuration_error.h"
#include "control/config/file_trust.h"
#include "control/config/peer_config.h"
#include "control/config/port_conflict.h"
#include "control/config/quorum_text.h"
#include "storage/file_util.h"
#include "storage/journal/journal_meta.h"

namespace binlane {
namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{1024} * 1024;
constexpr std::uint32_t kLoopbackNetwork = 127;

// The table of a section, or null if it is missing or is something else (which is reported).
const toml::table* subtable(const toml::table& root, std::string_view name, ConfigErrors& errors) {
  const toml::node* const node = root.get(name);
  if (node == nullptr) return nullptr;
  if (const toml::table* const table = node->as_table()) return table;
  errors.add(line_of(*node), name, fmt::format("expected a section, as in [{}]", name));
  return nullptr;
}

unsigned key_line(const toml::table& table, std::string_view key) {
  const toml::node* const node = table.get(key);
  return line_of(node != nullptr ? *node : table);
}

// Takes the password from its file if one is named; `inline_secret` says that the configuration
// holds a password itself.
void read_secret(const toml::table& table, std::string_view section, std::string_view name,
                 const std::string& file, Secret& secret, bool& inline_secret,
                 ConfigErrors& errors) {
  const std::string file_key = fmt::format("{}_file", name);
  const unsigned line = key_line(table, file_key);
  if (!secret.empty()) inline_secret = true;
  if (file.empty()) return;
  if (!secret.empty()) {
    errors.add(line, fmt::format("{}.{}", section, file_key),
               fmt::format("is given beside {}; give one of the two", name));
    return;
  }
  std::string problem;
  secret = read_password_file(file, problem);
  if (!problem.empty()) errors.add(line, fmt::format("{}.{}", section, file_key), problem);
}

void read_source_replicas(const toml::table& table, SourceConfig& source, ConfigErrors& errors) {
  const toml::node* const node = table.get(kSourceReplicas);
  if (node == nullptr) {
    errors.add(line_of(table), kSourceReplicaSection, "is missing: a source needs replicas");
    return;
  }
  const toml::array* const list = node->as_array();
  if (list == nullptr || list->empty() || !list->is_homogeneous(toml::node_type::table)) {
    errors.add(line_of(*node), kSourceReplicaSection,
               "expected one section [[source.replica]] for each replica");
    return;
  }
  if (list->size() > kMaxReplicas) {
    errors.add(line_of(*node), kSourceReplicaSection,
               fmt::format("{} replicas, expected at most {}", list->size(), kMaxReplicas));
    return;
  }
  for (const toml::node& entry : *list) {
    SourceReplicaConfig replica;
    replica.line = line_of(entry);
    read_section<SourceReplicaConfig>(*entry.as_table(), kSourceReplicaSection,
                                      source_replica_keys(), {}, replica, errors);
    source.replicas.push_back(std::move(replica));
  }
}

void check_source_replicas(const Config& config, const SourceConfig& source, ConfigErrors& errors) {
  for (std::size_t i = 0; i < source.replicas.size(); ++i) {
    const SourceReplicaConfig& replica = source.replicas[i];
    const auto fault = [&](std::string_view key, const std::string& text) {
      errors.add(replica.line, fmt::format("{}.{}", kSourceReplicaSection, key), text);
    };
    if (!replica.name.empty() && !is_plain_name(replica.name))
      fault("name", fmt::format("\"{}\" may hold letters, digits, '_', '-' and '.'", replica.name));
    if (replica.name == config.name && !replica.name.empty())
      fault("name", fmt::format("\"{}\" is this host's own name; the source never counts in its "
                                "own quorum",
                                replica.name));
    if (replica.address == replica.local_address && replica.address.udp_port != 0)
      fault("address", "is the same as local_address");
    if (!replica.zone.empty() && !is_plain_name(replica.zone))
      fault("zone", fmt::format("\"{}\" may hold letters, digits, '_', '-' and '.'", replica.zone));
    if (const std::string problem = check_mac(replica); !problem.empty()) fault("mac", problem);
    for (std::size_t j = 0; j < i; ++j) {
      const SourceReplicaConfig& earlier = source.replicas[j];
      if (replica.name == earlier.name)
        fault("name", fmt::format("\"{}\" is already the name of another replica", replica.name));
      if (!(replica.port == earlier.port)) {
        const std::string conflict = port_conflict({earlier.port, earlier.local_address},
                                                   {replica.port, replica.local_address});
        if (!conflict.empty()) fault("port", conflict);
        continue;
      }
      if (replica.local_address != earlier.local_address)
        fault("local_address",
              fmt::format("differs from that of \"{}\", which shares its port", earlier.name));
      if (replica.address == earlier.address)
        fault("address", fmt::format("is already that of \"{}\"", earlier.name));
    }
  }
}

// `table`: where the values were read from, for the lines in messages.
void check_source(const toml::table& table, Config& config, ConfigErrors& errors) {
  SourceConfig& source = *config.source;
  if (source.server_timeout_ms != 0 &&
      source.server_timeout_ms < source.timeout_ms + kServerTimeoutMarginMs)
    errors.add(key_line(table, "server_timeout_ms"), "source.server_timeout_ms",
               fmt::format("{} ms must be at least timeout_ms + {} ms = {} ms, because it is the "
                           "backstop for timeout_ms",
                           source.server_timeout_ms, kServerTimeoutMarginMs,
                           source.timeout_ms + kServerTimeoutMarginMs));
  if (source.recover_backoff_max_ms < source.recover_after_ms)
    errors.add(key_line(table, "recover_backoff_max_ms"), "source.recover_backoff_max_ms",
               fmt::format("{} ms is less than recover_after_ms = {} ms",
                           source.recover_backoff_max_ms, source.recover_after_ms));
  if (source.quorum_text.empty()) return;  // reported as missing
  const auto rule =
      parse_quorum_rule(source.quorum_text, source.replica_names(), source.replica_zones());
  const unsigned line = key_line(table, "quorum");
  if (const auto* problem = std::get_if<QuorumTextError>(&rule)) {
    errors.add(line, "source.quorum",
               fmt::format("{} (character {} of \"{}\")", problem->message, problem->offset + 1,
                           source.quorum_text));
    return;
  }
  source.quorum = std::get<QuorumRule>(rule);
  const std::string canonical = to_string(source.quorum, source.replica_names());
  if (canonical.size() > kMaxRuleLength)
    errors.add(line, "source.quorum",
               fmt::format("the rule has {} characters, but the replicas' records hold at most {}: "
                           "use shorter names",
                           canonical.size(), kMaxRuleLength));
  if (source.quorum.level == AckLevel::received)
    config.warnings.push_back(
        "source.quorum: LEVEL received lets a commit return before any replica has it on stable "
        "storage");
  for (std::size_t i = 0; i < source.replicas.size(); ++i) {
    if ((members_of(source.quorum) >> i & 1U) == 0)
      config.warnings.push_back(fmt::format(
          "source.quorum: replica \"{}\" is in no clause; it gets every byte, but never counts",
          source.replicas[i].name));
  }
}

void check_replica(const toml::table& table, Config& config, ConfigErrors& errors) {
  const ReplicaConfig& replica = *config.replica;
  if (replica.feed_password.empty() && replica.feed_password_file.empty())
    errors.add(line_of(table), "replica.feed_password_file",
               "is missing: without a password anyone on this host could read the binlog");
  if (const std::string problem = check_sources(replica); !problem.empty())
    errors.add(key_line(table, "sources"), "replica.sources", problem);
  if (replica_sources(config).from == SourcesFrom::anybody)
    config.warnings.push_back(fmt::format(
        "replica.sources is missing: every host that can send a datagram to {} can become this "
        "replica's source; list the hosts that may",
        endpoint_text(replica.address)));
  if (replica.feed_listen.ipv4 >> 24 != kLoopbackNetwork)
    config.warnings.push_back(
        fmt::format("replica.feed_listen: {} is not a loopback address; the feed is not encrypted",
                    endpoint_text(replica.feed_listen)));
}

// The folder that systemd has created for sockets, which everybody may enter; nobody else may enter
// data_dir.
std::string runtime_folder(const std::string& data_dir) {
  const char* const folders = std::getenv("RUNTIME_DIRECTORY");
  if (folders == nullptr || *folders != '/') return data_dir;
  const std::string_view all = folders;  // the first of several
  return std::string(all.substr(0, all.find(':')));
}

// A daemon that may be both has a port for each.
void check_both_sections(const Config& config, ConfigErrors& errors) {
  for (const SourceReplicaConfig& replica : config.source->replicas) {
    const std::string conflict = port_conflict({config.replica->port, config.replica->address},
                                               {replica.port, replica.local_address});
    if (conflict.empty()) continue;
    const bool address = replica.port.kind == PortKind::udp;
    errors.add(replica.line,
               fmt::format("{}.{}", kSourceReplicaSection, address ? "local_address" : "port"),
               fmt::format("[replica] uses it as well: {}", conflict));
    return;  // the others share it
  }
}

void check_top(const toml::table& root, Config& config, ConfigErrors& errors) {
  const auto plain = [&](std::string_view key, const std::string& value) {
    if (!value.empty() && !is_plain_name(value))
      errors.add(key_line(root, key), key,
                 fmt::format("\"{}\" may hold letters, digits, '_', '-' and '.'", value));
  };
  plain("name", config.name);
  plain("cluster", config.cluster);
  if (!config.source && !config.replica && root.get(kSourceSection) == nullptr &&
      root.get(kReplicaSection) == nullptr)
    errors.add(1, "",
               "neither [source] nor [replica] is given: this binlaned would have nothing to do");
  if (config.admin_socket.empty())
    config.admin_socket = runtime_folder(config.data_dir) + "/admin.sock";
  if (config.admin_socket.size() > kMaxSocketPathLength)
    errors.add(key_line(root, "admin_socket"), "admin_socket",
               fmt::format("\"{}\" has {} characters; a unix socket's path can have {}",
                           config.admin_socket, config.admin_socket.size(), kMaxSocketPathLength));
  if (!config.metrics_listen.empty()) {
    const auto listen = parse_endpoint(config.metrics_listen);
    if (!listen)
      errors.add(key_line(root, "metrics_listen"), "metrics_listen",
                 "expected \"IPv4 address:port\", such as \"127.0.0.1:9632\"");
    else if (listen->ipv4 >> 24 != kLoopbackNetwork)
      config.warnings.push_back(
          fmt::format("metrics_listen: {} is not a loopback address; whoever reaches it may read "
                      "the metrics, without a password or encryption",
                      config.metrics_listen));
  }
  if (config.faults.any())
    config.warnings.push_back(
        "danger_faults: datagrams are lost, doubled, reordered or late on purpose");
  if (config.replica) {
    if (config.replica->journal.empty()) config.replica->journal = config.data_dir + "/journal";
    if (config.replica->archive.empty()) config.replica->archive = config.data_dir + "/archive";
    if (config.replica->danger_buffered_journal)
      config.warnings.push_back(
          "replica.danger_buffered_journal: the journal goes through the page cache");
  }
}

Config read(std::string_view text, const std::string& path, bool readable_by_others) {
  ConfigErrors errors(path);
  toml::table root;
  try {
    root = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    throw ConfigurationError(fmt::format("{}:{}:{}: {}", path, error.source().begin.line,
                                         error.source().begin.column, error.description()));
  }
  Config config;
  static constexpr std::array kSections = {kLaneSection, kEalSection, kSourceSection,
                                           kReplicaSection, kFaultSection};
  read_section<Config>(root, "", top_level_keys(), kSections, config, errors);
  if (const auto* table = subtable(root, kLaneSection, errors))
    read_section<LaneConfig>(*table, kLaneSection, lane_keys(), {}, config.lane, errors);
  if (const auto* table = subtable(root, kEalSection, errors))
    read_section<EalConfig>(*table, kEalSection, eal_keys(), {}, config.eal, errors);
  if (const auto* table = subtable(root, kFaultSection, errors))
    read_section<FaultConfig>(*table, kFaultSection, fault_keys(), {}, config.faults, errors);
  bool inline_secret = false;
  if (const auto* table = subtable(root, kSourceSection, errors)) {
    SourceConfig& source = config.source.emplace();
    static constexpr std::array kInside = {kSourceReplicas};
    read_section<SourceConfig>(*table, kSourceSection, source_keys(), kInside, source, errors);
    read_source_replicas(*table, source, errors);
    check_source_replicas(config, source, errors);
    check_source(*table, config, errors);
    read_secret(*table, kSourceSection, "server_password", source.server_password_file,
                source.server_password, inline_secret, errors);
  }
  if (const auto* table = subtable(root, kReplicaSection, errors)) {
    ReplicaConfig& replica = config.replica.emplace();
    read_section<ReplicaConfig>(*table, kReplicaSection, replica_keys(), {}, replica, errors);
    check_replica(*table, config, errors);
    read_secret(*table, kReplicaSection, "feed_password", replica.feed_password_file,
                replica.feed_password, inline_secret, errors);
    read_secret(*table, kReplicaSection, "server_password", replica.server_password_file,
                replica.server_password, inline_secret, errors);
  }
  if (config.source && config.replica) check_both_sections(config, errors);
  check_top(root, config, errors);
  if (inline_secret && readable_by_others)
    config.warnings.push_back(
        fmt::format("{} holds a password and others can read it; use server_password_file", path));
  if (!errors.empty()) throw ConfigurationError(errors.text());
  return config;
}

}  // namespace

std::string recheck_source(Config& config) {
  ConfigErrors errors("");
  check_source(toml::table{}, config, errors);
  return errors.empty() ? std::string() : errors.bare_text();
}

std::string recheck_replica(const Config& config) {
  const std::string problem = config.replica ? check_sources(*config.replica) : std::string();
  return problem.empty() ? problem : "replica.sources: " + problem;
}

std::uint64_t SourceConfig::effective_slow_after_ms() const noexcept {
  return slow_after_ms == 0 ? timeout_ms / kSlowPartOfTimeout : slow_after_ms;
}

std::vector<std::string> SourceConfig::replica_zones() const {
  std::vector<std::string> zones;
  for (const SourceReplicaConfig& replica : replicas) zones.push_back(replica.zone);
  return zones;
}

std::uint64_t SourceConfig::effective_server_timeout_ms() const noexcept {
  return server_timeout_ms == 0 ? timeout_ms + kServerTimeoutSlackMs : server_timeout_ms;
}

std::vector<std::string> SourceConfig::replica_names() const {
  std::vector<std::string> names;
  for (const SourceReplicaConfig& replica : replicas) names.push_back(replica.name);
  return names;
}

Config load_config(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open())
    throw ConfigurationError(fmt::format("{}: cannot open: {}", path, why_not_opened(path, errno)));
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode))
    throw ConfigurationError(fmt::format("{}: not a regular file", path));
  if (const std::string problem = why_not_trusted(path, facts); !problem.empty())
    throw ConfigurationError(problem);
  if (static_cast<std::uint64_t>(facts.st_size) > kMaxConfigBytes)
    throw ConfigurationError(fmt::format("{}: longer than {} bytes", path, kMaxConfigBytes));
  std::string text(static_cast<std::size_t>(facts.st_size), '\0');
  const auto length = read_all(file.get(), std::as_writable_bytes(std::span(text)), 0);
  if (length < 0)
    throw ConfigurationError(
        fmt::format("{}: cannot read: {}", path, errno_text(static_cast<int>(-length))));
  text.resize(static_cast<std::size_t>(length));
  Config config = read(text, path, (facts.st_mode & S_IROTH) != 0);
  if (const std::string warning = open_folder_of(path); !warning.empty())
    config.warnings.push_back(warning);
  return config;
}

Config parse_config(std::string_view text, const std::string& path) {
  return read(text, path, false);
}

}  // namespace binlane
