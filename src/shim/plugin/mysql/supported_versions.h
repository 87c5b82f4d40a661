// Which servers binlane_source.so loads into.
// SPDX-License-Identifier: GPL-2.0-only
//
// The server does not compare versions for plugins of this kind, and the plugin declares the
// server's structures by itself. So it refuses what it was not tested with.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>

namespace binlane {

inline constexpr std::array<std::string_view, 1> kSupportedVersions{"9.7.4"};

// Whether a server that calls itself "9.7.4-2" or "9.7.4" is in the list. "9.7.40" is not.
inline bool is_supported_version(std::string_view version) {
  return std::ranges::any_of(kSupportedVersions, [version](std::string_view each) {
    if (!version.starts_with(each)) return false;
    const std::string_view rest = version.substr(each.size());
    return rest.empty() || std::isdigit(static_cast<unsigned char>(rest.front())) == 0;
  });
}

inline std::string supported_versions() {
  std::string text;
  for (const std::string_view each : kSupportedVersions)
    text += (text.empty() ? "" : ", ") + std::string(each);
  return text;
}

}  // namespace binlane
