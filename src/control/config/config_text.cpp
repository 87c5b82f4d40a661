// Turns rows of the key table and configurations back into text: --print-config and explanations.
#include <fmt/format.h>

#include <array>
#include <type_traits>

#include "control/config/config_alias.h"
#include "control/config/config_keys.h"
#include "control/config/config_value.h"

namespace binlane {
namespace {

// A TOML basic string.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

// The shortest text that reads back as the same number, with a point, so that TOML takes it for a
// float.
std::string float_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

template <class Field, class Wanted>
constexpr bool is_field = std::is_same_v<std::remove_cvref_t<Field>, Wanted>;

template <class Section>
void describe(std::vector<KeyDescription>& out, std::string_view section,
              std::span<const ConfigKey<Section>> keys) {
  for (const auto& key : keys) {
    const bool required = key.need == KeyNeed::required;
    out.push_back({std::string(section), std::string(key.name), type_text(key),
                   std::string(key.unit), required ? std::string() : value_text(key, Section{}),
                   range_text(key), required, key.change == KeyChange::live, std::string(key.why),
                   aliases_of(section, key.name)});
  }
}

template <class Section>
void print(std::string& out, std::string_view header, const Section& section,
           std::span<const ConfigKey<Section>> keys) {
  if (!header.empty()) out += fmt::format("\n{}\n", header);
  for (const auto& key : keys) {
    const std::string value = value_text(key, section);
    const std::string range = range_text(key);
    out += fmt::format("# {}{}{}{}\n", key.why, range.empty() ? "" : " (", range,
                       range.empty() ? "" : ")");
    if (key.change == KeyChange::live) out += "# may be changed while binlaned runs: binlane set\n";
    if (const auto* secret = std::get_if<Secret Section::*>(&key.field)) {
      out += fmt::format("# {} is {}, not shown\n", key.name,
                         (section.**secret).empty() ? "not set" : "set");
    } else {
      out += fmt::format("{} = {}\n", key.name, value);
    }
  }
}

}  // namespace

template <class Section>
std::string type_text(const ConfigKey<Section>& key) {
  return std::visit(
      [](const auto& field) -> std::string {
        using Field = decltype(field);
        if constexpr (is_field<Field, bool Section::*>) return "boolean";
        if constexpr (is_field<Field, std::uint64_t Section::*> ||
                      is_field<Field, std::int64_t Section::*>)
          return "integer";
        if constexpr (is_field<Field, double Section::*>) return "number";
        if constexpr (is_field<Field, std::vector<std::string> Section::*>) return "list of texts";
        if constexpr (is_field<Field, Endpoint Section::*>) return "address";
        if constexpr (is_field<Field, PortSpec Section::*>) return "port";
        if constexpr (is_field<Field, Choice<Section>>) return "word";
        return "text";
      },
      key.field);
}

template <class Section>
std::string range_text(const ConfigKey<Section>& key) {
  return std::visit(
      [&key](const auto& field) -> std::string {
        using Field = decltype(field);
        const KeyBounds bounds = key.bounds;
        if constexpr (is_field<Field, std::string Section::*> || is_field<Field, Secret Section::*>)
          return fmt::format("{} to {} characters", bounds.least, bounds.most);
        if constexpr (is_field<Field, std::uint64_t Section::*> ||
                      is_field<Field, std::int64_t Section::*> ||
                      is_field<Field, double Section::*>)
          return fmt::format("{} to {}{}{}", bounds.least, bounds.most, key.unit.empty() ? "" : " ",
                             key.unit);
        if constexpr (is_field<Field, std::vector<std::string> Section::*>)
          return fmt::format("at most {} texts", bounds.most);
        if constexpr (is_field<Field, Endpoint Section::*>) return "IPv4 address:port";
        if constexpr (is_field<Field, PortSpec Section::*>)
          return "vhost:/path.sock, dpdk:<devargs> or udp";
        if constexpr (is_field<Field, Choice<Section>>)
          return fmt::format("{}", fmt::join(field.words.begin(), field.words.end(), ", "));
        return "";
      },
      key.field);
}

template <class Section>
std::string value_text(const ConfigKey<Section>& key, const Section& section) {
  return std::visit(
      [&section](const auto& field) -> std::string {
        using Field = decltype(field);
        if constexpr (is_field<Field, Choice<Section>>) {
          return quoted(field.words[field.get(section)]);
        } else if constexpr (is_field<Field, std::string Section::*>) {
          return quoted(section.*field);
        } else if constexpr (is_field<Field, Secret Section::*>) {
          return "";
        } else if constexpr (is_field<Field, double Section::*>) {
          return float_text(section.*field);
        } else if constexpr (is_field<Field, Endpoint Section::*>) {
          return quoted(endpoint_text(section.*field));
        } else if constexpr (is_field<Field, PortSpec Section::*>) {
          return quoted(to_string(section.*field));
        } else if constexpr (is_field<Field, std::vector<std::string> Section::*>) {
          std::string list;
          for (const std::string& text : section.*field)
            list += fmt::format("{}{}", list.empty() ? "" : ", ", quoted(text));
          return fmt::format("[{}]", list);
        } else {
          return fmt::format("{}", section.*field);
        }
      },
      key.field);
}

#define BL_INSTANTIATE(Section)                                   \
  template std::string type_text(const ConfigKey<Section>& key);  \
  template std::string range_text(const ConfigKey<Section>& key); \
  template std::string value_text(const ConfigKey<Section>& key, const Section& section);
BL_INSTANTIATE(Config)
BL_INSTANTIATE(LaneConfig)
BL_INSTANTIATE(EalConfig)
BL_INSTANTIATE(SourceConfig)
BL_INSTANTIATE(SourceReplicaConfig)
BL_INSTANTIATE(ReplicaConfig)
BL_INSTANTIATE(FaultConfig)
#undef BL_INSTANTIATE

std::vector<KeyDescription> describe_keys() {
  std::vector<KeyDescription> all;
  describe(all, "", top_level_keys());
  describe(all, kLaneSection, lane_keys());
  describe(all, kEalSection, eal_keys());
  describe(all, kSourceSection, source_keys());
  describe(all, kSourceReplicaSection, source_replica_keys());
  describe(all, kReplicaSection, replica_keys());
  describe(all, kFaultSection, fault_keys());
  return all;
}

std::string print_config(const Config& config) {
  std::string out;
  print(out, "", config, top_level_keys());
  print(out, "[lane]", config.lane, lane_keys());
  print(out, "[eal]", config.eal, eal_keys());
  if (config.source) {
    print(out, "[source]", *config.source, source_keys());
    for (const SourceReplicaConfig& replica : config.source->replicas)
      print(out, "[[source.replica]]", replica, source_replica_keys());
  }
  if (config.replica) print(out, "[replica]", *config.replica, replica_keys());
  print(out, "[danger_faults]", config.faults, fault_keys());
  return out;
}

}  // namespace binlane
