#include "control/config/config_alias.h"

#include <cctype>

#include "control/config/config_keys.h"

namespace binlane {
namespace {

constexpr ConfigAlias kAliases[] = {
    {"rpl_semi_sync_source_timeout", kSourceSection, "timeout_ms"},
    {"rpl_semi_sync_master_timeout", kSourceSection, "timeout_ms"},
    {"rpl_semi_sync_source_wait_point", kSourceSection, "wait_point"},
    {"rpl_semi_sync_master_wait_point", kSourceSection, "wait_point"},
};

}  // namespace

std::span<const ConfigAlias> config_aliases() noexcept {
  return kAliases;
}

std::string plain_key(std::string_view name) {
  std::string plain;
  for (const char c : name)
    plain += c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return plain;
}

std::string canonical_key(std::string_view section, std::string_view name) {
  std::string plain = plain_key(name);
  for (const ConfigAlias& alias : kAliases) {
    if (alias.section == section && alias.alias == plain) return std::string(alias.key);
  }
  return plain;
}

std::vector<std::string> aliases_of(std::string_view section, std::string_view key) {
  std::vector<std::string> names;
  for (const ConfigAlias& alias : kAliases) {
    if (alias.section == section && alias.key == key) names.emplace_back(alias.alias);
  }
  return names;
}

std::string full_key(std::string_view name) {
  const std::string plain = plain_key(name);
  for (const ConfigAlias& alias : kAliases) {
    if (alias.alias == plain) return std::string(alias.section) + "." + std::string(alias.key);
  }
  const std::vector<KeyDescription> all = describe_keys();
  for (const KeyDescription& key : all) {
    if (key.full_name() == plain) return plain;
  }
  for (const KeyDescription& key : all) {
    if (key.name == plain) return key.full_name();
  }
  return plain;
}

}  // namespace binlane
