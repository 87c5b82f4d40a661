// The transition table of the fallback state machine: for each phase and each event exactly one
// row.
//
// Phases are finer than the states that people see: CATCHING_UP is "the quorum keeps up, wait a
// moment", "ON is being sent" and "ON, until the quorum covers what was exposed". A test walks all
// pairs and finds exactly one row for each. Constant data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace binlane {

enum class FallbackPhase : std::uint8_t {
  fresh,        // a new stream: nothing was ever promised, nothing is known of the server yet
  starting,     // nothing is known of the server yet
  async,        // the server does not wait; an interval of the ledger is open
  catching_up,  // the quorum is connected; it must keep up for a while
  turning_on,   // "enabled = ON" is being sent
  confirming,   // the server waits again; until a quorum covers everything that was exposed
  semisync,     // the server waits
  holding,      // mode block: a commit has waited too long, and still waits
  recording,    // the ledger is written before the server is told
  closing,      // mode fail: the ledger has it; the server is being made read-only
  turning_off,  // the ledger has it; "enabled = OFF" is being sent, until it succeeds
  blocked,      // the ledger cannot be written: commits wait, nothing is released by us
  fenced,       // reserved: a newer term exists
  standby,      // reserved: the server is a replica itself
  refused,      // the server does not wait for us although it says so, and OFF cannot be recorded
  shared,       // the server waits, and another client than Binlane may end the waits [S23]
  forgetting,   // that client is gone; OFF and ON, so that the server forgets what it acknowledged
};
inline constexpr std::size_t kFallbackPhases = 17;

enum class FallbackEvent : std::uint8_t {
  server_restarted,
  server_off,       // at a look: disabled, or its status is OFF
  server_on,        // at a look: enabled, and its status is ON
  server_released,  // it released commits without our acknowledgement
  recorded,         // every cause that had to be recorded is in the ledger
  record_failed,
  never_unrecorded,  // the same, if the server must not be called semi-sync [S16, S17]
  turned_off,
  turn_off_failed,
  turned_on,
  turn_on_failed,
  closed,  // no interval of the ledger is open
  close_failed,
  deadline,           // a commit has waited too long
  hold,               // the same, in mode block
  asked_off,          // an operator asks for semi-sync off (binlane degrade)
  recorded_to_fail,   // as `recorded`, and new commits are to be stopped first (mode fail)
  recorded_off,       // as `recorded`, and an operator has switched it off already
  read_only_pending,  // no new commit gets through any more
  read_only_failed,
  ready,  // semi-sync could be on: replicas, server and dump connection are connected
  not_ready,
  caught_up,       // and the quorum has kept up for the required time
  covered,         // the quorum covers all that was exposed
  wait_ended,      // no commit has waited too long any more
  other_acker,     // the server has a semi-sync client that is not ours
  other_refused,   // the same, and the operator permits no semi-sync with it
  other_gone,      // the server's only semi-sync client is ours
  other_unproven,  // the same, and the server may hold an ACK of the other client that lies ahead
  numbering_over,  // the server compares the names of its next binlogs wrongly (S17)
  ledger_back,     // it can be written again
};
inline constexpr std::size_t kFallbackEvents = 31;

enum class FallbackEffect : std::uint8_t {
  none,
  adopt,          // the server waits from now on: find out what was exposed until now
  expose_own,     // record that Binlane releases
  expose_asked,   // the same, because an operator asks for it
  expose_server,  // record that the server has released; then make it official, if it is not
  expose_fresh,   // record that what the server was told by others has to be revoked
  expose_aside,   // as expose_server, but the server keeps waiting
  expose_other,   // record that another client's ACKs release commits
  expose_number,  // record that commits from here on may not wait at all
  read_only,      // stop new commits
  retry_read_only,
  turn_off,
  retry_off,
  turn_on,
  close,
  count_hold,  // a commit waits beyond the timeout, by the operator's choice
  count_off,   // the server does not wait any more
  count_on,    // the server waits, and nothing is exposed
  back_off,    // it did not succeed: wait longer before the next attempt
  clear_hold,  // an operator's OFF ended with the server's run
};

using FallbackEventSet = std::uint32_t;
static_assert(kFallbackEvents <= 32);
constexpr FallbackEventSet event_bit(FallbackEvent event) noexcept {
  return FallbackEventSet{1} << static_cast<unsigned>(event);
}

struct FallbackRow {
  FallbackPhase phase;
  FallbackEventSet events;
  FallbackPhase next;
  FallbackEffect effect;
};

std::span<const FallbackRow> fallback_table() noexcept;

// The row for the pair.
const FallbackRow& fallback_row(FallbackPhase phase, FallbackEvent event) noexcept;

const char* to_string(FallbackPhase phase) noexcept;
const char* to_string(FallbackEvent event) noexcept;

}  // namespace binlane
