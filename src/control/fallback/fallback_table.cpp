#include "control/fallback/fallback_table.h"

#include <array>

#include "base/assert.h"

namespace binlane {
namespace {

using P = FallbackPhase;
using E = FallbackEvent;
using F = FallbackEffect;

template <class... Events>
constexpr FallbackEventSet on(Events... events) {
  return (event_bit(events) | ...);
}

constexpr FallbackEventSet kAll = (FallbackEventSet{1} << kFallbackEvents) - 1;

// The events for which a phase has no row of its own: they change nothing there.
template <class... Events>
constexpr FallbackEventSet all_but(Events... events) {
  return kAll & ~on(events...);
}

constexpr FallbackRow kTable[] = {
    // clang-format off
    // What went on before the first promise needs no entry in the ledger. But a server that waits
    // already may have been told of other binlogs, further on than anything in these (S16): it would
    // take every commit for acknowledged. Only OFF makes it forget.
    {P::fresh, on(E::server_on), P::recording, F::expose_fresh},
    {P::fresh, on(E::server_off), P::async, F::none},
    {P::fresh, all_but(E::server_on, E::server_off), P::fresh, F::none},

    // Nothing is decided before the server has been looked at once.
    {P::starting, on(E::server_on), P::confirming, F::adopt},
    {P::starting, on(E::server_off), P::recording, F::expose_server},
    {P::starting, on(E::server_released), P::starting, F::expose_aside},
    {P::starting, all_but(E::server_on, E::server_off, E::server_released), P::starting, F::none},

    {P::async, on(E::ready), P::catching_up, F::none},
    // Somebody else switched it on: commits wait from now on, so act as if we had.
    {P::async, on(E::server_on), P::confirming, F::adopt},
    {P::async, on(E::server_restarted), P::async, F::clear_hold},
    {P::async, all_but(E::ready, E::server_on, E::server_restarted), P::async, F::none},

    {P::catching_up, on(E::caught_up), P::turning_on, F::turn_on},
    {P::catching_up, on(E::not_ready), P::async, F::none},
    {P::catching_up, on(E::server_on), P::confirming, F::adopt},
    {P::catching_up, on(E::server_restarted), P::async, F::clear_hold},
    {P::catching_up, all_but(E::caught_up, E::not_ready, E::server_on, E::server_restarted),
     P::catching_up, F::none},

    {P::turning_on, on(E::turned_on), P::confirming, F::adopt},
    {P::turning_on, on(E::turn_on_failed), P::async, F::back_off},
    {P::turning_on, on(E::server_restarted), P::async, F::clear_hold},
    {P::turning_on, all_but(E::turned_on, E::turn_on_failed, E::server_restarted), P::turning_on,
     F::none},

    {P::confirming, on(E::covered), P::confirming, F::close},
    // A ledger that could not be closed claims too much exposure, which is safe; it blocks the next
    // degrade.
    {P::confirming, on(E::closed, E::close_failed), P::semisync, F::count_on},
    {P::confirming, on(E::deadline), P::recording, F::expose_own},
    {P::confirming, on(E::asked_off), P::recording, F::expose_asked},
    {P::confirming, on(E::server_off), P::recording, F::expose_server},
    {P::confirming, on(E::server_released), P::confirming, F::expose_aside},
    {P::confirming, on(E::server_restarted), P::starting, F::expose_aside},
    {P::confirming, on(E::other_acker), P::shared, F::expose_other},
    {P::confirming, on(E::other_refused), P::recording, F::expose_other},
    {P::confirming, on(E::numbering_over), P::recording, F::expose_number},
    {P::confirming, all_but(E::covered, E::closed, E::close_failed, E::deadline, E::asked_off,
                            E::server_off, E::server_released, E::server_restarted, E::other_acker,
                            E::other_refused, E::numbering_over),
     P::confirming, F::none},

    {P::semisync, on(E::deadline), P::recording, F::expose_own},
    {P::semisync, on(E::hold), P::holding, F::count_hold},
    {P::semisync, on(E::asked_off), P::recording, F::expose_asked},
    {P::semisync, on(E::server_off), P::recording, F::expose_server},
    {P::semisync, on(E::server_released), P::semisync, F::expose_aside},
    {P::semisync, on(E::server_restarted), P::starting, F::expose_aside},
    {P::semisync, on(E::covered), P::semisync, F::close},
    {P::semisync, on(E::other_acker), P::shared, F::expose_other},
    {P::semisync, on(E::other_refused), P::recording, F::expose_other},
    {P::semisync, on(E::numbering_over), P::recording, F::expose_number},
    {P::semisync, all_but(E::deadline, E::hold, E::asked_off, E::server_off, E::server_released,
                          E::server_restarted, E::covered, E::other_acker, E::other_refused,
                          E::numbering_over),
     P::semisync, F::none},

    // Any client of the server's semi-sync ends a wait. The interval of the ledger remains open
    // until ours is the only client and a quorum covers everything that was written until then.
    {P::shared, on(E::other_gone), P::confirming, F::adopt},
    {P::shared, on(E::other_unproven), P::forgetting, F::turn_off},
    {P::shared, on(E::other_refused), P::recording, F::expose_other},
    {P::shared, on(E::deadline), P::recording, F::expose_own},
    {P::shared, on(E::asked_off), P::recording, F::expose_asked},
    {P::shared, on(E::server_off), P::recording, F::expose_server},
    {P::shared, on(E::server_released), P::shared, F::expose_aside},
    {P::shared, on(E::server_restarted), P::starting, F::expose_aside},
    {P::shared, on(E::numbering_over), P::recording, F::expose_number},
    {P::shared, all_but(E::other_gone, E::other_unproven, E::other_refused, E::deadline,
                        E::asked_off, E::server_off, E::server_released, E::server_restarted,
                        E::numbering_over),
     P::shared, F::none},

    // What that client has acknowledged remains in the server after it left, and may be beyond
    // everything that is written yet. Only OFF makes the server forget it; ON follows at once.
    {P::forgetting, on(E::turned_off), P::turning_on, F::turn_on},
    {P::forgetting, on(E::turn_off_failed), P::forgetting, F::retry_off},
    {P::forgetting, on(E::asked_off), P::recording, F::expose_asked},
    {P::forgetting, on(E::server_off), P::recording, F::expose_server},
    {P::forgetting, on(E::server_restarted), P::starting, F::expose_aside},
    {P::forgetting, on(E::other_acker), P::shared, F::expose_other},
    {P::forgetting, on(E::other_refused), P::recording, F::expose_other},
    {P::forgetting, on(E::numbering_over), P::recording, F::expose_number},
    {P::forgetting, all_but(E::turned_off, E::turn_off_failed, E::asked_off, E::server_off,
                            E::server_restarted, E::other_acker, E::other_refused,
                            E::numbering_over),
     P::forgetting, F::none},

    // Binlane releases nothing here. The server may: by its own timeout, a KILL, a shutdown.
    {P::holding, on(E::wait_ended), P::semisync, F::none},
    {P::holding, on(E::deadline), P::recording, F::expose_own},  // the mode is another one now
    {P::holding, on(E::asked_off), P::recording, F::expose_asked},
    {P::holding, on(E::server_off), P::recording, F::expose_server},
    {P::holding, on(E::server_released), P::holding, F::expose_aside},
    {P::holding, on(E::server_restarted), P::starting, F::expose_aside},
    {P::holding, on(E::covered), P::holding, F::close},
    {P::holding, on(E::other_acker), P::shared, F::expose_other},
    {P::holding, on(E::other_refused), P::recording, F::expose_other},
    {P::holding, on(E::numbering_over), P::recording, F::expose_number},
    {P::holding, all_but(E::wait_ended, E::deadline, E::asked_off, E::server_off,
                         E::server_released, E::server_restarted, E::covered, E::other_acker,
                         E::other_refused, E::numbering_over),
     P::holding, F::none},

    // The only way to turning_off is through here: ledger first. [I4]
    {P::recording, on(E::recorded), P::turning_off, F::turn_off},
    {P::recording, on(E::recorded_to_fail), P::closing, F::read_only},
    // An OFF of ours could undo the ON that may have followed an operator's OFF.
    {P::recording, on(E::recorded_off), P::async, F::count_off},
    {P::recording, on(E::record_failed), P::blocked, F::none},
    {P::recording, on(E::never_unrecorded), P::refused, F::none},
    {P::recording, on(E::server_restarted), P::starting, F::expose_aside},
    {P::recording, all_but(E::recorded, E::recorded_to_fail, E::recorded_off, E::record_failed,
                           E::never_unrecorded, E::server_restarted),
     P::recording, F::none},

    // Waiting commits are released only when no new commit gets through. [S15]
    {P::closing, on(E::read_only_pending), P::turning_off, F::turn_off},
    {P::closing, on(E::read_only_failed), P::closing, F::retry_read_only},
    {P::closing, on(E::asked_off), P::turning_off, F::turn_off},
    {P::closing, on(E::server_off), P::async, F::count_off},
    {P::closing, on(E::wait_ended), P::confirming, F::adopt},
    {P::closing, on(E::server_restarted), P::starting, F::expose_aside},
    {P::closing, all_but(E::read_only_pending, E::read_only_failed, E::asked_off, E::server_off,
                         E::wait_ended, E::server_restarted),
     P::closing, F::none},

    {P::turning_off, on(E::turned_off, E::server_off), P::async, F::count_off},
    {P::turning_off, on(E::turn_off_failed), P::turning_off, F::retry_off},
    {P::turning_off, on(E::server_restarted), P::starting, F::expose_aside},
    {P::turning_off, all_but(E::turned_off, E::server_off, E::turn_off_failed, E::server_restarted),
     P::turning_off, F::none},

    {P::blocked, on(E::wait_ended), P::semisync, F::none},
    // The server's own timeout ended it; Binlane has released nothing.
    {P::blocked, on(E::server_off), P::async, F::count_off},
    {P::blocked, on(E::ledger_back), P::recording, F::expose_own},
    {P::blocked, on(E::server_restarted), P::starting, F::expose_aside},
    // Another client's ACK has ended the wait, or may have.
    {P::blocked, on(E::other_acker), P::shared, F::expose_other},
    {P::blocked, on(E::numbering_over), P::refused, F::expose_number},
    {P::blocked, all_but(E::wait_ended, E::server_off, E::ledger_back, E::server_restarted, E::other_acker,
                         E::numbering_over),
     P::blocked, F::none},

    // Clients get an OK without a quorum. This is not called semi-sync, and nothing else is
    // released in addition. An OFF by somebody else, or the server's end, makes the server forget.
    {P::refused, on(E::server_off), P::async, F::count_off},
    {P::refused, on(E::ledger_back), P::recording, F::expose_fresh},
    {P::refused, on(E::server_restarted), P::fresh, F::none},
    {P::refused, all_but(E::server_off, E::ledger_back, E::server_restarted), P::refused, F::none},

    // Reserved phases are entered and left by parts that do not exist yet.
    {P::fenced, kAll, P::fenced, F::none},
    {P::standby, kAll, P::standby, F::none},
    // clang-format on
};

constexpr std::size_t kNoRow = SIZE_MAX;

// Index of the only row for the pair; kNoRow if there is none or more than one.
constexpr std::size_t only_row(std::size_t phase, std::size_t event) {
  std::size_t found = kNoRow;
  for (std::size_t i = 0; i < std::size(kTable); ++i) {
    if (static_cast<std::size_t>(kTable[i].phase) != phase) continue;
    if ((kTable[i].events >> event & 1U) == 0) continue;
    if (found != kNoRow) return kNoRow;
    found = i;
  }
  return found;
}

using RowIndex = std::array<std::array<std::size_t, kFallbackEvents>, kFallbackPhases>;

constexpr RowIndex make_index() {
  RowIndex index{};
  for (std::size_t phase = 0; phase < kFallbackPhases; ++phase) {
    for (std::size_t event = 0; event < kFallbackEvents; ++event)
      index[phase][event] = only_row(phase, event);
  }
  return index;
}

constexpr RowIndex kIndex = make_index();

constexpr bool complete() {
  for (const auto& phase : kIndex) {
    for (const std::size_t row : phase) {
      if (row == kNoRow) return false;
    }
  }
  return true;
}
static_assert(complete(), "every phase and event must have exactly one row");

}  // namespace

std::span<const FallbackRow> fallback_table() noexcept {
  return kTable;
}

const FallbackRow& fallback_row(FallbackPhase phase, FallbackEvent event) noexcept {
  const auto p = static_cast<std::size_t>(phase);
  const auto e = static_cast<std::size_t>(event);
  BL_ASSERT(p < kFallbackPhases && e < kFallbackEvents);
  return kTable[kIndex[p][e]];
}

const char* to_string(FallbackPhase phase) noexcept {
  constexpr std::array<const char*, kFallbackPhases> kNames = {
      "fresh",    "starting", "async",     "catching_up", "turning_on",  "confirming",
      "semisync", "holding",  "recording", "closing",     "turning_off", "blocked",
      "fenced",   "standby",  "refused",   "shared",      "forgetting"};
  return kNames[static_cast<std::size_t>(phase)];
}

const char* to_string(FallbackEvent event) noexcept {
  constexpr std::array<const char*, kFallbackEvents> kNames = {
      "server_restarted",  "server_off",       "server_on",
      "server_released",   "recorded",         "record_failed",
      "never_unrecorded",  "turned_off",       "turn_off_failed",
      "turned_on",         "turn_on_failed",   "closed",
      "close_failed",      "deadline",         "hold",
      "asked_off",         "recorded_to_fail", "recorded_off",
      "read_only_pending", "read_only_failed", "ready",
      "not_ready",         "caught_up",        "covered",
      "wait_ended",        "other_acker",      "other_refused",
      "other_gone",        "other_unproven",   "numbering_over",
      "ledger_back"};
  return kNames[static_cast<std::size_t>(event)];
}

}  // namespace binlane
