// The table of configuration keys: one row for each key, from which the file is read, checked,
// printed and explained. To add a key, add a member in config.h and a row in config_keys.cpp.
//
// A row reaches its value through a pointer to a member of its section's struct. So the table knows
// names, bounds and reasons, and the struct's initialiser knows the default. Constant data; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/config/config.h"

namespace binlane {

// One of a few words, stored as an enumeration (the index is the enumerator's value).
template <class Section>
struct Choice {
  std::span<const std::string_view> words;
  void (*set)(Section&, std::size_t index);
  std::size_t (*get)(const Section&);
};

template <class Section>
using KeyField = std::variant<std::string Section::*, Secret Section::*, bool Section::*,
                              std::uint64_t Section::*, std::int64_t Section::*, double Section::*,
                              std::vector<std::string> Section::*, Endpoint Section::*,
                              PortSpec Section::*, Choice<Section>>;

// Least and greatest value of a number (inclusive), or least and greatest length of a text.
struct KeyBounds {
  double least = 0;
  double most = 0;
};

enum class KeyNeed : std::uint8_t { optional, required };

// Whether a new value takes effect in a running daemon (binlane set), or at its next start.
enum class KeyChange : std::uint8_t { restart, live };

template <class Section>
struct ConfigKey {
  std::string_view name;
  KeyField<Section> field;
  std::string_view unit;
  KeyBounds bounds;
  KeyNeed need;
  std::string_view why;
  KeyChange change = KeyChange::restart;
};

std::span<const ConfigKey<Config>> top_level_keys();
std::span<const ConfigKey<LaneConfig>> lane_keys();
std::span<const ConfigKey<EalConfig>> eal_keys();
std::span<const ConfigKey<SourceConfig>> source_keys();
std::span<const ConfigKey<SourceReplicaConfig>> source_replica_keys();
std::span<const ConfigKey<ReplicaConfig>> replica_keys();
std::span<const ConfigKey<FaultConfig>> fault_keys();

// Names of the sections ("[lane]"), in the order in which they are printed. The replicas of a
// source are its array of tables kSourceReplicaSection.
inline constexpr std::string_view kLaneSection = "lane";
inline constexpr std::string_view kEalSection = "eal";
inline constexpr std::string_view kSourceSection = "source";
inline constexpr std::string_view kReplicaSection = "replica";
inline constexpr std::string_view kFaultSection = "danger_faults";
inline constexpr std::string_view kSourceReplicas = "replica";
inline constexpr std::string_view kSourceReplicaSection = "source.replica";

// What one row says, in words.
struct KeyDescription {
  std::string section;  // "" for the top level
  std::string name;
  std::string type;
  std::string unit;
  std::string default_value;  // as TOML; "" if the key is required
  std::string range;          // "1 to 64 characters", "10 to 1000", "shared, dedicated"; may be ""
  bool required = false;
  bool live = false;
  std::string why;
  std::vector<std::string> aliases;  // MySQL's names for it

  // "source.timeout_ms"
  std::string full_name() const { return section.empty() ? name : section + "." + name; }
};

// Every key, in the order of printing.
std::vector<KeyDescription> describe_keys();

// "10 to 1000 ms", "1 to 64 characters", "\"shared\" or \"dedicated\""; "" if any value is allowed.
template <class Section>
std::string range_text(const ConfigKey<Section>& key);

// The value as TOML text; nothing for a secret.
template <class Section>
std::string value_text(const ConfigKey<Section>& key, const Section& section);

template <class Section>
std::string type_text(const ConfigKey<Section>& key);

}  // namespace binlane
