// ConfigReader: fills one section's struct from its TOML table by the key table, and collects what
// is wrong instead of stopping at the first fault. While starting up only.
#pragma once

#include <fmt/format.h>

#include <toml++/toml.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/config/config_keys.h"

namespace binlane {

// The faults of one file, each "file:line: key: text". Keeps the first kMaxErrors.
class ConfigErrors {
 public:
  static constexpr std::size_t kMaxErrors = 20;

  explicit ConfigErrors(std::string path) : path_(std::move(path)) {}

  void add(unsigned line, std::string_view key, std::string_view text);
  bool empty() const noexcept { return count_ == 0; }
  // All of them as one text.
  std::string text() const;
  // The same without file and line.
  std::string bare_text() const;

 private:
  std::string path_;
  std::vector<std::string> lines_;
  std::vector<std::string> bare_;
  std::size_t count_ = 0;
};

// Fills `section` from `table`. `prefix` is the section's name for messages ("lane", or "" for the
// top level); `subsections` are names of tables inside, which the caller reads.
template <class Section>
void read_section(const toml::table& table, std::string_view prefix,
                  std::span<const ConfigKey<Section>> keys,
                  std::span<const std::string_view> subsections, Section& section,
                  ConfigErrors& errors);

// Sets one value. Returns what is wrong with it, or an empty text.
template <class Section>
std::string read_value(const toml::node& node, const ConfigKey<Section>& key, Section& section);

// The line on which a node of the file begins.
inline unsigned line_of(const toml::node& node) {
  return static_cast<unsigned>(node.source().begin.line);
}

}  // namespace binlane
