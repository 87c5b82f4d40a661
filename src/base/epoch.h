// Epoch: the number of one incarnation of a stream's source, {term, incarnation}.
//
// Only a promotion raises the term; a restart of the source raises the incarnation. Every frame and
// every journal block carries the epoch it was made in, so that nothing from an older source can
// count (safety rule S1).
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace binlane {

struct Epoch {
  std::uint32_t term = 0;
  std::uint32_t incarnation = 0;

  constexpr auto operator<=>(const Epoch&) const = default;
};

// "term.incarnation", as status, logs and refusals show an epoch.
inline std::string epoch_text(const Epoch& epoch) {
  return std::to_string(epoch.term) + "." + std::to_string(epoch.incarnation);
}

}  // namespace binlane
