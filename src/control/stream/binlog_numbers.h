// BinlogNumbers: how far the server's binlog files are from the number at which MariaDB's semi-sync
// no longer waits. [S17]
//
// MariaDB compares the names of binlog files as text, and "binlog.1000000" sorts before
// "binlog.999999". Once that file is acknowledged, every commit in a later one counts as
// acknowledged too, whether any replica is alive or not. So the last number in which semi-sync
// means anything is the one before, and Binlane ends it as soon as that file exists, because the
// next one can begin at any moment. MySQL compares correctly. No I/O, no clock. Source's control
// thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "shim/server/server_facts.h"

namespace binlane {

class BinlogNumbers {
 public:
  // The log repeats how far the numbers have come after this many files.
  static constexpr std::uint32_t kWarningStep = 1'000;
  static constexpr std::uint32_t kLastNumber = kFileNumberLimit - 1;

  // A server was found; its binlogs may be numbered anew.
  void begin(bool compares_as_text) noexcept {
    *this = {};
    compares_as_text_ = compares_as_text;
  }
  // A file of this number exists.
  void note(std::uint32_t number) noexcept { newest_ = std::max(newest_, number); }
  std::uint32_t newest() const noexcept { return newest_; }
  bool near_end() const noexcept { return compares_as_text_ && newest_ >= kFileNumberWarning; }
  bool over() const noexcept { return compares_as_text_ && newest_ >= kLastNumber; }
  // The number to warn of, when that is due.
  std::optional<std::uint32_t> take_warning() noexcept {
    if (!near_end() || newest_ < warn_at_) return std::nullopt;
    warn_at_ = newest_ + kWarningStep;
    return newest_;
  }

 private:
  bool compares_as_text_ = false;
  std::uint32_t newest_ = 0;
  std::uint32_t warn_at_ = 0;
};

}  // namespace binlane
