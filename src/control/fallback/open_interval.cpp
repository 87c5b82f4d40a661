#include "control/fallback/open_interval.h"

#include "base/assert.h"

namespace binlane {

void OpenInterval::want(ExposureKind kind, FallbackReason reason, const Position& from,
                        bool closing) noexcept {
  if (failed_) return miss(kind, reason, from);
  if (open_ && noted_[index_of(kind)] && !closing) return;
  auto& wanted = wanted_[index_of(kind)];
  if (!wanted) wanted = Wanted{reason, from};
}

void OpenInterval::opened(ExposureKind kind, const Position& from) noexcept {
  BL_ASSERT(!failed_);
  wanted_[index_of(kind)].reset();
  open_ = true;
  noted_[index_of(kind)] = true;
  if (unrecorded_ && from <= unrecorded_from_) unrecorded_ = false;
}

void OpenInterval::not_opened(ExposureKind kind, FallbackReason reason,
                              const Position& from) noexcept {
  wanted_[index_of(kind)].reset();
  fail();
  miss(kind, reason, from);
}

void OpenInterval::closed() noexcept {
  BL_ASSERT(open_);
  open_ = false;
  noted_.fill(false);
}

// Nothing can be recorded any more, including what was wanted.
void OpenInterval::fail() noexcept {
  failed_ = true;
  for (const ExposureKind kind : kKinds) {
    auto& wanted = wanted_[index_of(kind)];
    if (wanted) miss(kind, wanted->reason, wanted->from);
    wanted.reset();
  }
}

// An open interval covers what follows it, and is not closed any more. What Binlane would have
// released it does not release without a record. Exception: a new stream's commits, for which
// clients have an OK.
void OpenInterval::miss(ExposureKind kind, FallbackReason reason, const Position& from) noexcept {
  BL_ASSERT(failed_);
  const bool released = kind == ExposureKind::server_side || reason == FallbackReason::stream_new ||
                        reason == FallbackReason::numbering_over;
  if (!released || open_) return;
  if (!unrecorded_ || from < unrecorded_from_) unrecorded_from_ = from;
  unrecorded_ = true;
}

bool OpenInterval::take_back() noexcept {
  failed_ = false;
  return open_ || unrecorded_;
}

std::optional<Position> OpenInterval::unrecorded() const noexcept {
  if (!unrecorded_ || open_) return std::nullopt;
  return unrecorded_from_;
}

}  // namespace binlane
