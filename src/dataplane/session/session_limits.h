// All knobs of the transport sessions, with the relations between them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "binlane/wire.h"

namespace binlane {

// Packets in flight. Every one of them must fit the bitmap of an ACK, so that *all* gaps are
// reported.
inline constexpr std::size_t kMaxInFlight = 256;
static_assert(kMaxInFlight <= wire::kBitmapBits);
static_assert((kMaxInFlight & (kMaxInFlight - 1)) == 0, "used as a mask");

// A packet whose number is this much below the largest one seen counts as lost; a smaller
// difference may be reordering.
inline constexpr std::uint64_t kReorderThreshold = 3;

// Fresh frames that a peer may get in one turn: many if it is at the binlog's end, few while it
// catches up, so that catching up never delays a live commit.
inline constexpr std::size_t kLiveFramesPerTurn = 64;
inline constexpr std::size_t kCatchUpFramesPerTurn = 16;
// A peer that lags the end of the binlog by more than this is catching up.
inline constexpr std::uint64_t kCatchUpDistance = 1U << 20;

// Before the first sample; corrected by it.
inline constexpr std::uint64_t kInitialRttNs = 1 * kNanosPerMilli;
// Tail-loss probe after 2 smoothed round trips and 4 mean deviations, within these bounds,
// doubling.
inline constexpr std::uint64_t kMinProbeNs = 6 * kNanosPerMicro;
inline constexpr std::uint64_t kMaxProbeNs = 10 * kNanosPerMilli;
static_assert(kMinProbeNs < kMaxProbeNs);

// A released mark that the replica has not confirmed is sent again after this.
inline constexpr std::uint64_t kMarkRepeatNs = 10 * kNanosPerMilli;
// A source with bytes to send and a closed window asks at this pace whether it is open again.
inline constexpr std::uint64_t kWindowAskNs = 10 * kNanosPerMilli;
// An idle session sends a keepalive at this pace, and asks for an ACK.
inline constexpr std::uint64_t kKeepaliveNs = 100 * kNanosPerMilli;
// No ACK for this long: the session is over, and HELLO begins again.
inline constexpr std::uint64_t kPeerTimeoutNs = 1 * kNanosPerSecond;
static_assert(kKeepaliveNs * 4 <= kPeerTimeoutNs, "several keepalives may be lost");

// A replica says that its source is alive only if it heard a frame of its session this recently; a
// source that says nothing for kPeerTimeoutNs is away.
inline constexpr std::uint64_t kSourceHeardNs = kPeerTimeoutNs / 4;
static_assert(kKeepaliveNs * 2 < kSourceHeardNs, "one keepalive may be lost");

// A loop that slept longer than this (SIGSTOP, a paused machine) ends no session for the silence.
// It is less than the timeout, because silence before the pause counts as well; but it is several
// keepalives, so that a loop which is merely slow still finds a dead peer.
inline constexpr std::uint64_t kPauseNs = kPeerTimeoutNs / 4;
static_assert(kKeepaliveNs * 2 < kPauseNs && kPauseNs < kPeerTimeoutNs);

// The replica repeats its last ACK, doubling from the first pause, until the source's marks show
// that it arrived or the repeats are used up. Sum: 2^8 x 0.5 ms, well within the source's
// keepalive.
inline constexpr std::uint64_t kFirstAckRepeatNs = 500 * kNanosPerMicro;
inline constexpr std::uint32_t kMaxAckRepeats = 8;

// The bytes that a free journal block adds to the receiver's window. Blocks hold more, but a lone
// small commit takes a block alone; what does not fit is dropped (counted) and asked for again.
inline constexpr std::uint64_t kWindowBytesPerBlock = 1024;

// The largest journal that a configuration allows (control/config/config_keys.cpp), and the window
// that a replica with one announces. A window that reaches farther is not believed, or one wrong
// frame would end the session's flow control.
inline constexpr std::uint64_t kMaxJournalBytes = std::uint64_t{65'536} << 20;
inline constexpr std::uint64_t kSmallestJournalBlock = 4096;
inline constexpr std::uint64_t kMaxWindowBytes =
    kMaxJournalBytes / kSmallestJournalBlock * kWindowBytesPerBlock;

// A replica remembers a source's marks at most this far beyond what it has received, so that a
// wrong mark is not believed for ever. A source repeats its marks with every frame.
inline constexpr std::uint64_t kMaxMarkLead = std::uint64_t{1} << 32;

// A window that was closed is announced anew once it has opened by this part of the journal.
inline constexpr std::uint64_t kWindowSteps = 8;

// Out-of-order frames that a receiver keeps.
inline constexpr std::size_t kReorderSlots = kMaxInFlight;

}  // namespace binlane
