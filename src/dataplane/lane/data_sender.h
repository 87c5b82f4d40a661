// DataSender: turns what the sessions of a source want to send into DATA frames in the ports'
// buffers. It holds no bytes: fresh bytes and repeated ones are both read from the stream.
//
// Owned by the lane's thread. No I/O of its own, no clock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mutant.h"
#include "dataplane/lane/commit_tracer.h"
#include "dataplane/lane/release_marks.h"
#include "dataplane/lane/source_parts.h"
#include "dataplane/lane/source_peer.h"
#include "dataplane/lane/source_queues.h"
#include "dataplane/port/port.h"
#include "dataplane/session/frame.h"

namespace binlane {

// What every frame of a turn says besides its bytes.
struct FrameContext {
  Epoch epoch;
  // The oldest file that a replica in a session does not hold whole; 0: unknown.
  std::uint32_t peers_need = 0;
  std::uint64_t now_ns = 0;
};

template <Port P, BinlogStream Stream>
class DataSender {
 public:
  DataSender(std::span<P* const> ports, Stream& stream, ReleaseMarks& marks,
             SourcePeers& peers) noexcept
      : ports_(ports), stream_(stream), marks_(marks), peers_(peers) {}

  // One replica's frames of this turn. `lose(why, error)`: its session cannot go on; it must have
  // ended when that returns. Returns the number of frames.
  template <class Lose>
  std::size_t send_to(std::uint32_t replica, const FrameContext& context, Lose lose) noexcept;

  // After the ports were flushed; with a reading of the clock of its own if anything was sent,
  // because what came before took this turn's time. Returns the time then.
  template <Clock C>
  std::uint64_t note_sent(CommitTracer& stages, C& clock, std::uint64_t now_ns) noexcept;

 private:
  template <class Lose>
  bool send_frame(std::uint32_t replica, const SendPlan& plan, const FrameContext& context,
                  Lose& lose) noexcept;
  // The bytes that the plan wants, in `payload`. False if the session was lost instead.
  template <class Lose>
  bool read(const SourcePeer& peer, const SendPlan& plan, MutableBytes payload, StreamSlice& slice,
            Lose& lose) noexcept;

  std::span<P* const> ports_;
  Stream& stream_;
  ReleaseMarks& marks_;
  SourcePeers& peers_;
  bool sent_any_ = false;
};

template <Port P, BinlogStream Stream>
template <class Lose>
std::size_t DataSender<P, Stream>::send_to(std::uint32_t replica, const FrameContext& context,
                                           Lose lose) noexcept {
  SourcePeer& peer = peers_[replica];
  const std::uint64_t now_ns = context.now_ns;
  BL_ASSERT(peer.origin <= stream_.written());
  marks_.tell(replica, peer.session.has_room());
  BL_ASSERT(marks_.told(replica) <= stream_.written());
  peer.session.begin_turn(peer.in_session(stream_.written()), peer.told(marks_, replica), now_ns);
  if (peer.session.timed_out(now_ns)) {
    lose(SourceEvent::Kind::session_lost, 0);
    return 1;
  }
  std::size_t frames = 0;
  while (frames < kLiveFramesPerTurn) {
    const auto plan = peer.session.next(now_ns);
    if (!plan || !send_frame(replica, *plan, context, lose)) break;
    ++frames;
  }
  return frames;
}

template <Port P, BinlogStream Stream>
template <class Lose>
bool DataSender<P, Stream>::read(const SourcePeer& peer, const SendPlan& plan, MutableBytes payload,
                                 StreamSlice& slice, Lose& lose) noexcept {
  if (plan.max_length == 0) return true;
  const bool again = plan.kind == SendPlan::Kind::retransmit && plan.offset.value > 0;
  const std::uint64_t at = peer.in_stream(plan.offset);
  const int error = stream_.read(BL_MUTANT(wrong_retransmit_offset, again ? at - 1 : at, at),
                                 payload.first(plan.max_length), slice);
  // A probe repeats one packet's range as a whole: the file still has it, or is not that file any
  // more.
  const bool cut_short = plan.kind == SendPlan::Kind::probe && slice.length != plan.max_length;
  if (error == 0 && slice.length > 0 && !cut_short) return true;
  lose(SourceEvent::Kind::session_purged, error);
  return false;
}

template <Port P, BinlogStream Stream>
template <class Lose>
bool DataSender<P, Stream>::send_frame(std::uint32_t replica, const SendPlan& plan,
                                       const FrameContext& context, Lose& lose) noexcept {
  SourcePeer& peer = peers_[replica];
  P& port = *ports_[peer.port];
  const MutableBytes buffer = port.tx_buffer();
  if (buffer.size() <
      wire::kDataOverhead + std::max<std::size_t>(plan.max_length, sizeof(wire::FileEndPayload)))
    return false;
  StreamSlice slice;
  const MutableBytes payload = buffer.subspan(wire::kDataOverhead);
  if (!read(peer, plan, payload, slice, lose)) return false;
  // What the stream handed over fits the frame; the end of a file is one unit, without bytes.
  BL_ASSERT(slice.length <= plan.max_length && (!slice.file_end || slice.length == 1));
  BL_ASSERT(slice.length == 0 || !slice.at.is_null());
  std::uint32_t payload_length = slice.length;
  FrameTags tags;
  tags.flags = plan.flags;
  if (slice.file_end) {
    const wire::FileEndPayload end{
        slice.end.final_size, slice.end.last_group_end, slice.end.flags_byte, {}};
    std::memcpy(payload.data(), static_cast<const void*>(&end), sizeof end);
    payload_length = sizeof end;
    tags.flags |= wire::kFlagFileEnd;
  }
  const SessionMarks told = peer.told(marks_, replica);
  wire::DataBody body;
  body.stream_offset = plan.offset.value;
  body.file_offset = slice.at.offset;
  body.file_number = slice.at.file;
  body.peers_need = context.peers_need;
  body.synced = told.synced.value;
  body.released = told.released.value;
  std::memcpy(buffer.data() + sizeof(wire::Header), static_cast<const void*>(&body), sizeof body);
  // The replica takes the frame as this epoch's alone, and hands on only what is synced. [I3, S9]
  BL_ASSERT(peer.session.active() && peer.session.epoch() == context.epoch);
  const std::uint64_t end = peer.in_stream(plan.offset + slice.length);
  BL_ASSERT(end <= stream_.written());
  tags.session_id = peer.session.session_id();
  tags.epoch = context.epoch;
  tags.packet_number = plan.packet_number;
  const std::uint32_t length =
      finish_frame(buffer, tags, static_cast<std::uint32_t>(sizeof body) + payload_length);
  port.tx_commit(peer.endpoint, length);
  peer.session.on_sent(plan, slice.length, context.now_ns);
  if (plan.kind == SendPlan::Kind::fresh) {
    peer.sent = end;
    sent_any_ = true;
  }
  return true;
}

template <Port P, BinlogStream Stream>
template <Clock C>
std::uint64_t DataSender<P, Stream>::note_sent(CommitTracer& stages, C& clock,
                                               std::uint64_t now_ns) noexcept {
  if (!std::exchange(sent_any_, false)) return now_ns;
  const std::uint64_t at_ns = clock.now_ns();
  for (std::uint32_t i = 0; i < kMaxReplicas; ++i) {
    const std::uint64_t sent = std::exchange(peers_[i].sent, 0);
    if (sent > 0) stages.on_sent(i, sent, at_ns);
  }
  return at_ns;
}

}  // namespace binlane
