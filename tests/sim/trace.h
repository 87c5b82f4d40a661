// Trace: everything that happens in a run, as one hash. The same seed must give the same hash. With
// print() the notes also go to standard output, for somebody who repeats a failing seed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "support/virtual_clock.h"

namespace binlane::sim {

class Trace {
 public:
  explicit Trace(const test::VirtualClock& clock) noexcept : clock_(clock) {}

  // Something happened. `what` is a constant, and the numbers are its details. Cheap.
  void note(std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0);
  // The same for what happens all the time: it counts in the hash, and is not printed.
  void count(std::uint64_t a, std::uint64_t b) noexcept;
  // A line of the product's own log.
  void line(std::string_view text);
  // The beginning of a path that is different in every process. Log lines are traced without it.
  void leave_out(std::string prefix) { left_out_ = std::move(prefix); }

  void print(bool wanted) noexcept { print_ = wanted; }
  std::uint64_t hash() const noexcept { return hash_; }
  std::uint64_t events() const noexcept { return events_; }

 private:
  void mix(std::uint64_t value) noexcept;
  void mix(std::string_view text) noexcept;

  const test::VirtualClock& clock_;
  std::string left_out_;
  bool print_ = false;
  std::uint64_t hash_ = 0xcbf29ce484222325;
  std::uint64_t events_ = 0;
};

}  // namespace binlane::sim
