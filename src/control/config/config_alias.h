// MySQL's names for keys of the configuration, old and new words alike, with dashes or underscores.
// Constant data; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace binlane {

struct ConfigAlias {
  std::string_view alias;    // with underscores
  std::string_view section;  // of the key that it names
  std::string_view key;
};

std::span<const ConfigAlias> config_aliases() noexcept;

// In small letters, with underscores for dashes: how names are compared.
std::string plain_key(std::string_view name);

// The key's own name for what a person has typed: an alias of that section, or the name with other
// dashes; the text itself if neither is known.
std::string canonical_key(std::string_view section, std::string_view name);

// Aliases of a key; may be none.
std::vector<std::string> aliases_of(std::string_view section, std::string_view key);

// For names without a section, as in `binlane set`: "timeout_ms", "source.timeout-ms" and
// "rpl_semi_sync_master_timeout" all give "source.timeout_ms". The text itself if nothing fits.
std::string full_key(std::string_view name);

}  // namespace binlane
