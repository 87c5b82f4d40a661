#include "control/config/config_reader.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <type_traits>

#include "control/config/config_alias.h"
#include "control/config/config_value.h"
#include "control/config/suggest.h"

namespace binlane {
namespace {

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

std::string wrong_type(std::string_view expected, const toml::node& node) {
  return fmt::format("expected {}, found {}", expected, kind_of(node));
}

// Each of these sets the value and returns an empty text, or says what was expected.
std::string check_length(std::string_view text, KeyBounds bounds) {
  const auto length = static_cast<double>(text.size());
  if (length >= bounds.least && length <= bounds.most) return {};
  if (text.empty()) return "must not be empty";
  return fmt::format("has {} characters, expected {} to {}", text.size(), bounds.least,
                     bounds.most);
}

std::string read_text(const toml::node& node, KeyBounds bounds, std::string& value) {
  const auto text = node.value_exact<std::string>();
  if (!text) return wrong_type("a text", node);
  if (text->find('\0') != std::string::npos) return "contains a NUL character";
  value = *text;
  return check_length(value, bounds);
}

template <class Number>
std::string read_integer(const toml::node& node, KeyBounds bounds, std::string_view unit,
                         Number& value) {
  const auto number = node.value_exact<std::int64_t>();
  if (!number) return wrong_type("an integer", node);
  // Every bound is far below 2^53, so the comparison as doubles is exact near it.
  const auto as_double = static_cast<double>(*number);
  if (as_double < bounds.least || as_double > bounds.most)
    return fmt::format("{} is out of range, expected {} to {}{}{}", *number, bounds.least,
                       bounds.most, unit.empty() ? "" : " ", unit);
  value = static_cast<Number>(*number);
  return {};
}

std::string read_number(const toml::node& node, KeyBounds bounds, double& value) {
  if (!node.is_number()) return wrong_type("a number", node);
  const auto number = node.value<double>();
  // Written so that a NaN is out of range.
  if (!number || !(*number >= bounds.least && *number <= bounds.most))
    return fmt::format("{} is out of range, expected {} to {}", number.value_or(0.0), bounds.least,
                       bounds.most);
  value = *number;
  return {};
}

std::string read_list(const toml::node& node, KeyBounds bounds, std::vector<std::string>& value) {
  const toml::array* const list = node.as_array();
  if (list == nullptr) return wrong_type("a list of texts", node);
  if (static_cast<double>(list->size()) > bounds.most)
    return fmt::format("has {} entries, expected at most {}", list->size(), bounds.most);
  value.clear();
  for (const toml::node& entry : *list) {
    const auto text = entry.value_exact<std::string>();
    if (!text) return wrong_type("a list of texts", entry);
    value.push_back(*text);
  }
  return {};
}

template <class Section>
std::string read_choice(const toml::node& node, const Choice<Section>& choice, Section& section) {
  const auto word = node.value_exact<std::string>();
  const std::string expected =
      fmt::format("\"{}\"", fmt::join(choice.words.begin(), choice.words.end(), "\", \""));
  if (!word) return wrong_type("one of " + expected, node);
  for (std::size_t i = 0; i < choice.words.size(); ++i) {
    if (!same_word(choice.words[i], *word)) continue;
    choice.set(section, i);
    return {};
  }
  const std::string_view nearest = nearest_word(*word, choice.words);
  return fmt::format("\"{}\" is not one of {}{}", *word, expected,
                     nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest));
}

// What to say about a key that is not known here: the nearest one of this section, or the section
// that has it.
std::string unknown_key_text(std::string_view name, std::span<const std::string_view> known) {
  const std::string_view nearest = nearest_word(name, known);
  if (!nearest.empty()) return fmt::format("unknown key; did you mean \"{}\"?", nearest);
  for (const KeyDescription& description : describe_keys()) {
    if (description.name == name)
      return fmt::format("unknown key here; it belongs {}",
                         description.section.empty() ? std::string("at the top of the file")
                                                     : fmt::format("in [{}]", description.section));
  }
  return fmt::format("unknown key; known here: {}", fmt::join(known.begin(), known.end(), ", "));
}

}  // namespace

template <class Section>
std::string read_value(const toml::node& node, const ConfigKey<Section>& key, Section& section) {
  return std::visit(
      [&](const auto& field) -> std::string {
        using Field = std::remove_cvref_t<decltype(field)>;
        if constexpr (std::is_same_v<Field, Choice<Section>>) {
          return read_choice(node, field, section);
        } else if constexpr (std::is_same_v<Field, std::string Section::*>) {
          return read_text(node, key.bounds, section.*field);
        } else if constexpr (std::is_same_v<Field, Secret Section::*>) {
          std::string text;
          std::string problem = read_text(node, key.bounds, text);
          section.*field = Secret(std::move(text));
          return problem;
        } else if constexpr (std::is_same_v<Field, bool Section::*>) {
          const auto value = node.value_exact<bool>();
          if (!value) return wrong_type("true or false", node);
          section.*field = *value;
          return {};
        } else if constexpr (std::is_same_v<Field, double Section::*>) {
          return read_number(node, key.bounds, section.*field);
        } else if constexpr (std::is_same_v<Field, std::vector<std::string> Section::*>) {
          return read_list(node, key.bounds, section.*field);
        } else if constexpr (std::is_same_v<Field, Endpoint Section::*>) {
          const auto text = node.value_exact<std::string>();
          const auto endpoint = text ? parse_endpoint(*text) : std::nullopt;
          if (!endpoint) return "expected \"IPv4 address:port\", such as \"198.18.0.1:7100\"";
          section.*field = *endpoint;
          return {};
        } else if constexpr (std::is_same_v<Field, PortSpec Section::*>) {
          std::string expected = "expected \"vhost:/path.sock\", \"dpdk:<devargs>\" or \"udp\"";
          const auto text = node.value_exact<std::string>();
          const auto port = text ? parse_port(*text, expected) : std::nullopt;
          if (!port)
            return text ? fmt::format("{}, found \"{}\"", expected, *text)
                        : wrong_type("a string", node);
          section.*field = *port;
          return {};
        } else {
          return read_integer(node, key.bounds, key.unit, section.*field);
        }
      },
      key.field);
}

void ConfigErrors::add(unsigned line, std::string_view key, std::string_view text) {
  ++count_;
  if (lines_.size() == kMaxErrors) return;
  bare_.push_back(fmt::format("{}{}{}", key, key.empty() ? "" : ": ", text));
  lines_.push_back(fmt::format("{}:{}: {}", path_, line, bare_.back()));
}

std::string ConfigErrors::bare_text() const {
  return fmt::format("{}", fmt::join(bare_, "; "));
}

std::string ConfigErrors::text() const {
  std::string all = fmt::format("{}", fmt::join(lines_.begin(), lines_.end(), "\n"));
  if (count_ > lines_.size()) all += fmt::format("\nand {} more", count_ - lines_.size());
  return all;
}

template <class Section>
void read_section(const toml::table& table, std::string_view prefix,
                  std::span<const ConfigKey<Section>> keys,
                  std::span<const std::string_view> subsections, Section& section,
                  ConfigErrors& errors) {
  const auto full_name = [prefix](std::string_view name) {
    return prefix.empty() ? std::string(name) : fmt::format("{}.{}", prefix, name);
  };
  std::vector<std::string_view> known(subsections.begin(), subsections.end());
  for (const auto& key : keys) known.push_back(key.name);

  // Lookup is by the keys' own names; a person may have written MySQL's, or other dashes.
  std::map<std::string, const toml::node*> found;
  for (const auto& [written, node] : table) {
    const auto line = static_cast<unsigned>(written.source().begin.line);
    const std::string name = canonical_key(prefix, written.str());
    if (std::find(known.begin(), known.end(), name) == known.end())
      errors.add(line, full_name(written.str()), unknown_key_text(written.str(), known));
    else if (!found.emplace(name, &node).second)
      errors.add(line, full_name(written.str()),
                 fmt::format("{} is already given, under another of its names", name));
  }
  for (const auto& key : keys) {
    const auto entry = found.find(std::string(key.name));
    const toml::node* const node = entry == found.end() ? nullptr : entry->second;
    if (node == nullptr) {
      if (key.need == KeyNeed::required)
        errors.add(line_of(table), full_name(key.name), fmt::format("is missing: {}", key.why));
      continue;
    }
    const std::string problem = read_value(*node, key, section);
    if (!problem.empty()) errors.add(line_of(*node), full_name(key.name), problem);
  }
}

// NOLINTBEGIN(bugprone-macro-parentheses): the argument is a type.
#define BL_INSTANTIATE(Section)                                                            \
  template std::string read_value(const toml::node&, const ConfigKey<Section>&, Section&); \
  template void read_section(const toml::table&, std::string_view,                         \
                             std::span<const ConfigKey<Section>>,                          \
                             std::span<const std::string_view>, Section&, ConfigErrors&);
BL_INSTANTIATE(Config)
BL_INSTANTIATE(LaneConfig)
BL_INSTANTIATE(EalConfig)
BL_INSTANTIATE(SourceConfig)
BL_INSTANTIATE(SourceReplicaConfig)
BL_INSTANTIATE(ReplicaConfig)
BL_INSTANTIATE(FaultConfig)
#undef BL_INSTANTIATE
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace binlane
