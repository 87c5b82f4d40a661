// CommitTracer: how long each commit group takes from the moment when the lane sees it in the
// binlog until it is handed to the port, until a replica has received it, has it durable, a quorum
// has it, and it is released; how long the group may have been in the binlog before it was seen;
// and what a replica reports of its journal's writes. Always on.
//
// The lane notes when the binlog grew (one sample a turn, at most kSamples in progress). Every
// stage has a cursor that follows its mark through the samples. A stage that lags by more than
// kSamples skips the oldest and counts them. Times are those of the lane's turns. One thread
// records, any may read; no allocation, no locks.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/position.h"
#include "dataplane/lane/seqlock.h"
#include "dataplane/lane/stage_histogram.h"
#include "dataplane/session/quorum_rule.h"

namespace binlane {

// One commit group's times; 0 if a stage has not been reached (or not been seen).
struct StageTrace {
  std::uint64_t number = 0;  // from 1
  Position end;              // of the group
  std::uint64_t seen_at_ns = 0;
  std::uint64_t sent_ns = 0;      // to the first replica
  std::uint64_t received_ns = 0;  // by the first replica
  std::uint64_t durable_ns = 0;   // on the first replica
  std::uint64_t quorum_ns = 0;
  std::uint64_t released_ns = 0;
};

class CommitTracer {
 public:
  static constexpr std::size_t kSamples = 1024;
  static constexpr std::size_t kTraced = 256;
  static_assert(kTraced <= kSamples);

  // --- the lane

  // The coordinates begin anew: samples in progress are not measured any more.
  void restart() noexcept {
    for (Cursor& cursor : sent_) cursor.next = head_;
    for (Cursor& cursor : received_) cursor.next = head_;
    for (Cursor& cursor : durable_) cursor.next = head_;
    quorum_.next = released_.next = head_;
  }
  // A session begins: samples in progress measure catching up, not a commit.
  void restart(std::size_t replica) noexcept {
    BL_ASSERT(replica < kMaxReplicas);
    sent_[replica].next = received_[replica].next = durable_[replica].next = head_;
  }
  // `looked_ns`: when the lane last found nothing new; the bytes were written after that. 0: it
  // never did.
  void on_written(std::uint64_t mark, const Position& end, std::uint64_t looked_ns,
                  std::uint64_t now_ns) noexcept {
    if (looked_ns != 0 && looked_ns <= now_ns) unseen_histogram_.record(now_ns - looked_ns);
    samples_[head_ % kSamples] = {mark, now_ns};
    ++head_;
    StageTrace trace;
    trace.number = head_;
    trace.end = end;
    trace.seen_at_ns = now_ns;
    put(trace);
  }
  void on_sent(std::size_t replica, std::uint64_t mark, std::uint64_t now_ns) noexcept {
    follow(sent_[replica], sent_histograms_[replica], mark, now_ns, &StageTrace::sent_ns);
  }
  void on_received(std::size_t replica, std::uint64_t mark, std::uint64_t now_ns) noexcept {
    follow(received_[replica], received_histograms_[replica], mark, now_ns,
           &StageTrace::received_ns);
  }
  // `queue_ns`, `disk_ns`: what its ACK reports of the write that made it durable.
  void on_durable(std::size_t replica, std::uint64_t mark, std::uint64_t queue_ns,
                  std::uint64_t disk_ns, std::uint64_t now_ns) noexcept {
    const std::uint64_t before = durable_[replica].next;
    follow(durable_[replica], durable_histograms_[replica], mark, now_ns, &StageTrace::durable_ns);
    if (durable_[replica].next == before) return;
    queue_histograms_[replica].record(queue_ns);
    disk_histograms_[replica].record(disk_ns);
  }
  void on_quorum(std::uint64_t mark, std::uint64_t now_ns) noexcept {
    follow(quorum_, quorum_histogram_, mark, now_ns, &StageTrace::quorum_ns);
  }
  void on_released(std::uint64_t mark, std::uint64_t now_ns) noexcept {
    follow(released_, released_histogram_, mark, now_ns, &StageTrace::released_ns);
  }

  // --- any thread

  // The longest time for which a group can have been in the binlog before it was seen.
  const StageHistogram& unseen() const noexcept { return unseen_histogram_; }
  const StageHistogram& sent(std::size_t replica) const { return sent_histograms_[replica]; }
  // A replica's writes: from the arrival of the oldest bytes to the submission; from there to the
  // completion.
  const StageHistogram& queue(std::size_t replica) const { return queue_histograms_[replica]; }
  const StageHistogram& disk(std::size_t replica) const { return disk_histograms_[replica]; }
  const StageHistogram& received(std::size_t replica) const {
    return received_histograms_[replica];
  }
  const StageHistogram& durable(std::size_t replica) const { return durable_histograms_[replica]; }
  const StageHistogram& quorum() const noexcept { return quorum_histogram_; }
  const StageHistogram& released() const noexcept { return released_histogram_; }
  StageTrace trace(std::size_t index) const { return traces_[index].load(); }
  std::uint64_t skipped() const noexcept { return skipped_.load(std::memory_order_relaxed); }

 private:
  struct Sample {
    std::uint64_t mark = 0;
    std::uint64_t seen_at_ns = 0;
  };
  struct Cursor {
    std::uint64_t next = 0;
  };

  void put(const StageTrace& trace) noexcept {
    own_traces_[trace.number % kTraced] = trace;
    traces_[trace.number % kTraced].store(trace);
  }

  void follow(Cursor& cursor, StageHistogram& histogram, std::uint64_t mark, std::uint64_t now_ns,
              std::uint64_t StageTrace::*stage) noexcept {
    BL_ASSERT(cursor.next <= head_);
    if (head_ - cursor.next > kSamples) {
      const std::uint64_t skipped = head_ - cursor.next - kSamples;
      skipped_.store(skipped_.load(std::memory_order_relaxed) + skipped, std::memory_order_relaxed);
      cursor.next += skipped;
    }
    for (; cursor.next < head_; ++cursor.next) {
      const Sample& sample = samples_[cursor.next % kSamples];
      if (sample.mark > mark) break;
      BL_ASSERT(now_ns >= sample.seen_at_ns);
      const std::uint64_t took_ns = now_ns - sample.seen_at_ns;
      histogram.record(took_ns);
      // The trace of exactly this sample, unless a later one has its place.
      StageTrace trace = own_traces_[(cursor.next + 1) % kTraced];
      if (trace.number != cursor.next + 1 || trace.*stage != 0) continue;
      trace.*stage = took_ns == 0 ? 1 : took_ns;
      put(trace);
    }
  }

  std::uint64_t head_ = 0;
  std::array<Sample, kSamples> samples_{};
  std::array<Cursor, kMaxReplicas> sent_{};
  std::array<Cursor, kMaxReplicas> received_{};
  std::array<Cursor, kMaxReplicas> durable_{};
  Cursor quorum_;
  Cursor released_;
  StageHistogram unseen_histogram_;
  std::array<StageHistogram, kMaxReplicas> sent_histograms_{};
  std::array<StageHistogram, kMaxReplicas> queue_histograms_{};
  std::array<StageHistogram, kMaxReplicas> disk_histograms_{};
  std::array<StageHistogram, kMaxReplicas> received_histograms_{};
  std::array<StageHistogram, kMaxReplicas> durable_histograms_{};
  StageHistogram quorum_histogram_;
  StageHistogram released_histogram_;
  std::array<StageTrace, kTraced> own_traces_{};
  std::array<SeqlockValue<StageTrace>, kTraced> traces_{};
  std::atomic<std::uint64_t> skipped_{0};
};

}  // namespace binlane
