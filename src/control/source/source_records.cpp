#include "control/source/source_records.h"

#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "control/fallback/fallback_turn.h"

namespace binlane {
namespace {

// How often a ledger that found its disk full is tried again.
constexpr std::uint64_t kRoomNs = 1 * kNanosPerSecond;

// Whether `next` may follow `before`: nothing that replicas or clients were told is taken back.
void check_growth(const SourceState& before, const SourceState& next) {
  BL_ASSERT(next.epoch >= before.epoch);
  if (next.origin != before.origin) return;
  BL_ASSERT(next.synced >= before.synced && next.looked >= before.looked);
  BL_ASSERT(next.promised || !before.promised);
}

}  // namespace

SourceRecords::SourceRecords(StateMedium medium, std::string ledger_path, LedgerIo ledger_io)
    : file_(std::move(medium)),
      ledger_(std::move(ledger_path), ledger_io),
      state_(file_.state().value_or(SourceState{})) {
  // The ledger needs the stream before the first incarnation, because a fence may open an interval.
  if (!state_.origin.is_null() && !ledger_.begin_stream(state_.origin))
    log::error("ledger_failed", "{}", ledger_.failure());
}

bool SourceRecords::store(const SourceState& next) {
  check_growth(state_, next);
  if (next == state_) return true;
  if (!failure_.empty()) return false;
  if (const int error = file_.store(next); error != 0) {
    failure_ = fmt::format("cannot store {}: {}", file_.path(), errno_text(error));
    log::error("state_not_stored", "{}", failure_);
    return false;
  }
  state_ = next;
  return true;
}

bool SourceRecords::expect_after_commit() {
  SourceState next = state_;
  next.waits_committed = true;
  return store(next);
}

Status SourceRecords::begin_incarnation(const SourceState& next) {
  check_growth(state_, next);
  if (const int error = file_.store(next); error != 0)
    return Status::failed(fmt::format("cannot store {}: {}", file_.path(), errno_text(error)));
  state_ = next;
  if (!ledger_.begin_stream(state_.origin)) log::error("ledger_failed", "{}", ledger_.failure());
  BL_ASSERT(file_.state() == state_);
  return Status::ok();
}

void SourceRecords::reload() {
  // The same epoch, if an earlier try stored this state, and the disk then did not take the role.
  BL_ASSERT(file_.state() && file_.state()->epoch >= state_.epoch);
  state_ = *file_.state();
}

void SourceRecords::expose_refused(std::string_view problem) {
  if (!binlane::expose_refused(ledger_, state_, problem))
    log::error("ledger_failed", "{}", ledger_.failure());
}

bool SourceRecords::find_room(std::uint64_t now_ns) {
  if (!ledger_.is_full() || now_ns < next_room_ns_) return false;
  next_room_ns_ = now_ns + kRoomNs;
  if (!ledger_.try_again()) return false;
  log::info("ledger_back", "{} can be written again", ledger_.path());
  return true;
}

}  // namespace binlane
