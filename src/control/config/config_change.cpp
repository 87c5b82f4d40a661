#include "control/config/config_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <type_traits>

#include "control/config/config_alias.h"
#include "control/config/config_reader.h"
#include "control/config/suggest.h"

namespace binlane {
namespace {

// What a person types has no quotes; the key's type says how to read it.
template <class Section>
std::unique_ptr<toml::node> node_of(const ConfigKey<Section>& key, std::string_view text) {
  const char* const end = text.data() + text.size();
  if (std::holds_alternative<bool Section::*>(key.field)) {
    const std::string word = plain_key(text);
    if (word == "on" || word == "true" || word == "1")
      return std::make_unique<toml::value<bool>>(true);
    if (word == "off" || word == "false" || word == "0")
      return std::make_unique<toml::value<bool>>(false);
  }
  if (std::holds_alternative<std::vector<std::string> Section::*>(key.field)) {
    auto list = std::make_unique<toml::array>();
    while (!text.empty()) {
      const std::size_t comma = text.find(',');
      std::string_view entry = text.substr(0, comma);
      text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
      while (entry.starts_with(' ')) entry.remove_prefix(1);
      while (entry.ends_with(' ')) entry.remove_suffix(1);
      if (!entry.empty()) list->push_back(std::string(entry));
    }
    return list;
  }
  std::int64_t integer = 0;
  const bool whole = std::holds_alternative<std::uint64_t Section::*>(key.field) ||
                     std::holds_alternative<std::int64_t Section::*>(key.field);
  if (whole) {
    const auto [stop, code] = std::from_chars(text.data(), end, integer);
    if (code == std::errc{} && stop == end)
      return std::make_unique<toml::value<std::int64_t>>(integer);
  }
  return std::make_unique<toml::value<std::string>>(std::string(text));
}

// Sets the key if this section has it. Returns what is wrong, or nothing if it is not of this
// section.
template <class Section>
std::optional<std::string> change_in(std::string_view section_name, Section& section,
                                     std::span<const ConfigKey<Section>> keys,
                                     std::string_view full, std::string_view value) {
  for (const auto& key : keys) {
    const std::string name =
        section_name.empty() ? std::string(key.name) : fmt::format("{}.{}", section_name, key.name);
    if (name != full) continue;
    if (key.change != KeyChange::live)
      return "takes effect only at a start of binlaned; change it in the file and restart";
    return read_value(*node_of(key, value), key, section);
  }
  return std::nullopt;
}

template <class Section>
void list_in(std::vector<SettingView>& out, std::string_view section_name, const Section& section,
             std::span<const ConfigKey<Section>> keys) {
  for (const auto& key : keys)
    out.push_back({section_name.empty() ? std::string(key.name)
                                        : fmt::format("{}.{}", section_name, key.name),
                   value_text(key, section), key.change == KeyChange::live});
}

template <class Section>
void compare_in(std::vector<std::string>& out, std::string_view section_name, const Section& a,
                const Section& b, std::span<const ConfigKey<Section>> keys) {
  for (const auto& key : keys) {
    const auto* secret = std::get_if<Secret Section::*>(&key.field);
    const bool same = secret != nullptr ? (a.**secret).reveal() == (b.**secret).reveal()
                                        : value_text(key, a) == value_text(key, b);
    if (!same)
      out.push_back(section_name.empty() ? std::string(key.name)
                                         : fmt::format("{}.{}", section_name, key.name));
  }
}

// True if this section has the key and it was applied.
template <class Section>
bool take_over(std::string_view section_name, Section& to, const Section& from,
               std::span<const ConfigKey<Section>> keys, std::string_view full) {
  for (const auto& key : keys) {
    const std::string name =
        section_name.empty() ? std::string(key.name) : fmt::format("{}.{}", section_name, key.name);
    if (name != full || key.change != KeyChange::live) continue;
    std::visit(
        [&](const auto& field) {
          using Field = std::remove_cvref_t<decltype(field)>;
          if constexpr (std::is_same_v<Field, Choice<Section>>)
            field.set(to, field.get(from));
          else
            to.*field = from.*field;
        },
        key.field);
    return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> differing_keys(const Config& a, const Config& b) {
  std::vector<std::string> keys;
  compare_in<Config>(keys, "", a, b, top_level_keys());
  compare_in<LaneConfig>(keys, kLaneSection, a.lane, b.lane, lane_keys());
  compare_in<EalConfig>(keys, kEalSection, a.eal, b.eal, eal_keys());
  compare_in<FaultConfig>(keys, kFaultSection, a.faults, b.faults, fault_keys());
  if (a.source.has_value() != b.source.has_value()) keys.emplace_back(kSourceSection);
  if (a.replica.has_value() != b.replica.has_value()) keys.emplace_back(kReplicaSection);
  if (a.replica && b.replica)
    compare_in<ReplicaConfig>(keys, kReplicaSection, *a.replica, *b.replica, replica_keys());
  if (!a.source || !b.source) return keys;
  compare_in<SourceConfig>(keys, kSourceSection, *a.source, *b.source, source_keys());
  bool same = a.source->replicas.size() == b.source->replicas.size();
  for (std::size_t i = 0; same && i < a.source->replicas.size(); ++i) {
    std::vector<std::string> differing;
    compare_in<SourceReplicaConfig>(differing, "", a.source->replicas[i], b.source->replicas[i],
                                    source_replica_keys());
    same = differing.empty();
  }
  if (!same) keys.emplace_back(kSourceReplicaSection);
  return keys;
}

std::optional<std::variant<Config, ConfigProblem>> with_key_of(const Config& config,
                                                               const Config& other,
                                                               std::string_view key) {
  Config next = config;
  const bool taken =
      take_over<Config>("", next, other, top_level_keys(), key) ||
      (next.source && other.source &&
       take_over<SourceConfig>(kSourceSection, *next.source, *other.source, source_keys(), key)) ||
      (next.replica && other.replica &&
       take_over<ReplicaConfig>(kReplicaSection, *next.replica, *other.replica, replica_keys(),
                                key));
  if (!taken) return std::nullopt;
  if (std::string wrong = recheck_replica(next); !wrong.empty())
    return ConfigProblem{std::string(key), std::move(wrong)};
  next.warnings.clear();
  if (next.source) {
    if (std::string wrong = recheck_source(next); !wrong.empty())
      return ConfigProblem{std::string(key), std::move(wrong)};
  }
  return next;
}

std::variant<Config, ConfigProblem> change_setting(const Config& config, std::string_view key,
                                                   std::string_view value) {
  const auto found = find_key(key);
  if (const auto* problem = std::get_if<ConfigProblem>(&found)) return *problem;
  const std::string full = std::get<KeyDescription>(found).full_name();
  Config changed = config;
  std::optional<std::string> problem =
      change_in<Config>("", changed, top_level_keys(), full, value);
  if (!problem && changed.source)
    problem = change_in<SourceConfig>(kSourceSection, *changed.source, source_keys(), full, value);
  if (!problem && changed.replica)
    problem =
        change_in<ReplicaConfig>(kReplicaSection, *changed.replica, replica_keys(), full, value);
  if (!problem)
    return ConfigProblem{
        full, changed.source
                  ? "takes effect only at a start of binlaned; change it in the file and restart"
                  : "this host has no [source] section"};
  if (!problem->empty()) return ConfigProblem{full, *problem};
  if (const std::string wrong = recheck_replica(changed); !wrong.empty())
    return ConfigProblem{full, wrong};
  if (changed.source) {
    changed.warnings.clear();
    if (const std::string wrong = recheck_source(changed); !wrong.empty())
      return ConfigProblem{full, wrong};
  }
  return changed;
}

std::vector<SettingView> list_settings(const Config& config) {
  std::vector<SettingView> all;
  list_in<Config>(all, "", config, top_level_keys());
  list_in<LaneConfig>(all, kLaneSection, config.lane, lane_keys());
  if (config.source) list_in<SourceConfig>(all, kSourceSection, *config.source, source_keys());
  if (config.replica) list_in<ReplicaConfig>(all, kReplicaSection, *config.replica, replica_keys());
  return all;
}

std::variant<KeyDescription, ConfigProblem> find_key(std::string_view name) {
  const std::string full = full_key(name);
  const std::vector<KeyDescription> all = describe_keys();
  std::vector<std::string> names;
  for (const KeyDescription& key : all) {
    if (key.full_name() == full) return key;
    names.push_back(key.full_name());
    names.push_back(key.name);
  }
  for (const ConfigAlias& alias : config_aliases()) names.emplace_back(alias.alias);
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string_view nearest = nearest_word(full, known);
  return ConfigProblem{std::string(name),
                       nearest.empty() ? std::string("unknown key; binlane config list names all")
                                       : fmt::format("unknown key; did you mean \"{}\"?", nearest)};
}

std::string explain_text(const KeyDescription& key) {
  std::string text = fmt::format("{}\n  {}\n", key.full_name(), key.why);
  const auto line = [&text](std::string_view label, const std::string& value) {
    if (!value.empty()) text += fmt::format("  {:<9}{}\n", label, value);
  };
  line("type", key.type);
  line("unit", key.unit);
  line("range", key.range);
  line("default", key.required ? "none: it must be given" : key.default_value);
  line("change", key.live ? "live: binlane set, or the file and a reload" : "at a restart");
  line("aliases", fmt::format("{}", fmt::join(key.aliases, ", ")));
  return text;
}

}  // namespace binlane
