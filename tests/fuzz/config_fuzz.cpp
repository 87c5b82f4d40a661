// The configuration: a file is refused with faults that name their lines, or accepted; then what
// --print-config prints is accepted as well and says the same.
#include <string>

#include "base/error.h"
#include "control/config/config.h"
#include "fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace binlane;
  const std::string text(reinterpret_cast<const char*>(data), size);
  // Files that a configuration names are read while it is: keep to those that cannot block.
  if (text.find("_file") != std::string::npos) return 0;
  Config config;
  try {
    config = parse_config(text, "fuzz.toml");
  } catch (const StartupError& error) {
    BL_ASSERT(std::string_view(error.what()).find("fuzz.toml") != std::string_view::npos);
    return 0;
  }
  BL_ASSERT(!config.name.empty() && (config.source || config.replica));
  const std::string printed = print_config(config);
  // Passwords are never printed, only whether there is one.
  std::string whole = printed;
  const auto give = [&whole](std::string_view section, std::string_view key) {
    const std::size_t at = whole.find(section);
    BL_ASSERT(at != std::string::npos);
    whole.insert(at + section.size(), std::string(key) + " = 'x'\n");
  };
  if (config.source && !config.source->server_password.empty()) {
    give("\n[source]\n", "server_password");
  }
  if (config.replica) give("\n[replica]\n", "feed_password");
  BL_ASSERT(print_config(parse_config(whole, "printed.toml")) == printed);
  return 0;
}
