// OpenInterval: what the ledger has, and what it still lacks, of the commits that the server
// released without a quorum.
//
// An interval in the ledger covers what follows its beginning until it is closed. So a further
// cause needs an entry only if the open interval does not name that cause yet. While the ledger
// cannot be written, what was released all the same is kept as unrecorded, from its beginning on,
// and is recorded first when the ledger is back. [I4]
//
// No I/O, no clock. The source's control thread owns it.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "base/position.h"
#include "control/exposure/ledger.h"
#include "control/fallback/fallback_reason.h"

namespace binlane {

class OpenInterval {
 public:
  // An entry that the ledger shall get.
  struct Wanted {
    FallbackReason reason = FallbackReason::started;
    Position from;
  };
  // In the order in which they are recorded: what the server released by itself has happened.
  static constexpr std::array<ExposureKind, 2> kKinds = {ExposureKind::server_side,
                                                         ExposureKind::own};

  // As an earlier binlaned left the ledger. An open interval covers whatever has happened since.
  OpenInterval(bool open, bool failed) noexcept : open_(open), failed_(failed) {
    noted_.fill(open);
  }

  bool is_open() const noexcept { return open_; }
  // The ledger takes no entry.
  bool ledger_failed() const noexcept { return failed_; }

  // What is behind `from` was released, or will be. `closing`: the open interval is being closed,
  // and may not cover it.
  void want(ExposureKind kind, FallbackReason reason, const Position& from, bool closing) noexcept;
  const std::optional<Wanted>& wanted(ExposureKind kind) const noexcept {
    return wanted_[index_of(kind)];
  }
  bool wants_any() const noexcept { return wanted_[0] || wanted_[1]; }
  // Nobody waits any more for what this was wanted for.
  void drop(ExposureKind kind) noexcept { wanted_[index_of(kind)].reset(); }

  // The ledger has taken the entry, or not.
  void opened(ExposureKind kind, const Position& from) noexcept;
  void not_opened(ExposureKind kind, FallbackReason reason, const Position& from) noexcept;
  // Every open interval was closed, or could not be.
  void closed() noexcept;
  void not_closed() noexcept { fail(); }

  // The ledger takes entries again. True if something that was released meanwhile, or the end of an
  // interval, has to be recorded.
  bool take_back() noexcept;
  // What was released meanwhile begins here; nothing if an interval has it.
  std::optional<Position> unrecorded() const noexcept;

  // Everything that the server is known to have released by itself is recorded. `opening`: the
  // ledger is being given an entry.
  bool accounts(bool opening) const noexcept {
    return !unrecorded_ && !wanted(ExposureKind::server_side) && !opening;
  }

 private:
  static constexpr std::size_t index_of(ExposureKind kind) noexcept {
    return static_cast<std::size_t>(kind);
  }
  void fail() noexcept;
  void miss(ExposureKind kind, FallbackReason reason, const Position& from) noexcept;

  bool open_;
  bool failed_;
  bool unrecorded_ = false;  // a release that no interval has, for that reason
  Position unrecorded_from_;
  std::array<bool, 2> noted_{};  // causes that the open interval has
  std::array<std::optional<Wanted>, 2> wanted_{};
};

}  // namespace binlane
