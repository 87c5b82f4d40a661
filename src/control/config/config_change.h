// Changing one key of a running daemon's configuration, or explaining it. Pure; admin thread and
// the program binlane.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/config/config.h"
#include "control/config/config_keys.h"

namespace binlane {

struct ConfigProblem {
  std::string field;  // the key, as far as it is known
  std::string message;
};

// The configuration with `value` (as a person types it) for `key` (any of its names), checked like
// a file: only keys that may change live, within their bounds, agreeing with the others.
std::variant<Config, ConfigProblem> change_setting(const Config& config, std::string_view key,
                                                   std::string_view value);

// One row of `binlane variables`.
struct SettingView {
  std::string key;
  std::string value;  // as TOML; empty for secrets
  bool live = false;
};
std::vector<SettingView> list_settings(const Config& config);

// The keys whose values differ. A section that only one of the two has differs as a whole
// ("source"), and so does the set of replicas ("source.replica").
std::vector<std::string> differing_keys(const Config& a, const Config& b);
// `config` with the value that `other` has for the key; nothing if the key may not change live.
std::optional<std::variant<Config, ConfigProblem>> with_key_of(const Config& config,
                                                               const Config& other,
                                                               std::string_view key);

// Everything about the key whose name is meant; or a problem that suggests one.
std::variant<KeyDescription, ConfigProblem> find_key(std::string_view name);
// As text of several lines.
std::string explain_text(const KeyDescription& key);

}  // namespace binlane
