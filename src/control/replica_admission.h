// ReplicaAdmission: judges who may be a replica's source, and makes durable what an answer says
// before it is given: the promise (safety rule S1), the journal's stream and its change behind a
// seal (S2), the quorum rule (S4), what was released without a quorum (S8), and that this replica
// has diverged (S10).
//
// One datagram from a forged address changes nothing durable: a promise, a divergence or another
// stream follow only from a HELLO that names an answer which this process gave (`answer_id`), and
// whoever does not receive our answers knows none. A HELLO that does not is refused with one, and
// its sender repeats it (safety rule S19).
//
// Knows no thread, no lane and no files: AdmissionHost does what only the host can. ReplicaControl
// runs it on its thread, the simulator in its replicas' turns.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/position.h"
#include "control/exposure_record.h"
#include "control/held_groups.h"
#include "control/promise_budget.h"
#include "dataplane/hello.h"
#include "dataplane/replica_cycle.h"
#include "storage/archive.h"
#include "storage/journal_store.h"

namespace binlane {

// A term grows by one with each promotion. A replica follows no larger step than this: a wrong term
// near the last one would leave no room for a promotion. binlane term reset leads over it.
inline constexpr std::uint32_t kMaxTermStep = 1024;

class AdmissionHost {
 public:
  virtual ~AdmissionHost() = default;

  // Why nobody is served now; empty: sources are.
  virtual std::string refuse_all() = 0;
  // While nobody is served: whether this HELLO tells of another source that was not known.
  virtual bool is_news(const wire::HelloBody& body, const Promise& candidate) = 0;
  // The same, from somebody who hears our answers: it is believed.
  virtual void hear(const wire::HelloBody& body, const Promise& candidate) = 0;
  // The source that this host is, or hears; empty: none. For whoever looks before a promotion.
  virtual std::string source_alive() = 0;
  virtual ReplicaLaneMarks marks() = 0;
  virtual ArchiverStatus archive() = 0;
  // Of the bytes in front of `end` in an archived file; nothing when they cannot be read.
  virtual std::optional<std::uint32_t> digest_archive(Position end, std::uint64_t length) = 0;
  // With the lane standing still, while a START wants to cut.
  virtual std::optional<HeldGroups> held_groups() = 0;
  // Counts the archive's event groups from `divergence.sealed_at` to `divergence.reached` into it.
  // Empty, or why that cannot be told.
  virtual std::string count_groups(Divergence& divergence) = 0;
  // This replica's server is fed nothing any more.
  virtual void diverge(const Divergence& divergence) = 0;
  // With the lane standing still. Empty, or why not.
  virtual std::string adopt_stream(const StreamIdentity& stream, const LogMark& learner) = 0;
  // Goes over to `stream`: ends the session, and releases all that the journal holds, because the
  // seal was covered, whether the last mark that said so has arrived or not. `done` is false while
  // the archive has not got everything up to `sealed_at`. Empty, or why not.
  virtual std::string follow_stream(const StreamIdentity& stream, Position sealed_at,
                                    bool& done) = 0;
  // `borrower`, to whom this host has promised itself, asks for what its journal holds. Empty: it
  // gets it (Lender); or why not.
  virtual std::string lend(const std::string& borrower, const Promise& promise) = 0;
};

class ReplicaAdmission {
 public:
  // All outlive it. `name`: this replica's.
  ReplicaAdmission(std::string name, std::uint64_t cluster_id, JournalStore& store,
                   ExposureRecord& exposures, AdmissionHost& host);

  // The HELLO is of this cluster, and for this replica.
  bool concerns(const wire::HelloBody& body) const;
  // The answer to an ASK or START that concerns us, for the lane to give. Nothing: not yet, the
  // source repeats it.
  std::optional<AdmittedHello> answer(const HelloMessage& message, const FrameView& frame,
                                      const wire::HelloBody& body, std::uint64_t now_ns);
  // Why the last answer was a refusal, for this host's operators; empty: it was none. A refused
  // source is told less: neither the stream held here nor the candidate it is promised to, which
  // is all that a stranger needs for the next HELLO.
  const std::string& refusal() const noexcept { return refusal_; }
  // The answer to a list of what was released without a quorum, once it is on record; nothing when
  // it cannot be. The lane has checked that it comes from the source of the session that runs.
  std::optional<HelloMessage> record(const HelloMessage& message, const FrameView& frame);
  // What was damaged, or missing, is durable again by these marks: noted on record. True when that
  // changed it.
  bool watch_repair(const ReplicaLaneMarks& marks);
  // The record of exposures is about the journal and stream of now.
  void own_exposures();
  // wire::AckState bits.
  std::uint16_t state() const;
  // HELLOs that were to be repeated: they named no answer of this process, or wanted one promise
  // more than is given in a second.
  std::uint64_t not_bound() const noexcept { return not_bound_count_; }
  std::uint64_t promises_put_off() const noexcept { return promises_put_off_; }

 private:
  std::string judge(const FrameView& frame, const wire::HelloBody& body);
  std::string judge_form(const wire::HelloBody& body, const StreamIdentity& stream,
                         const Promise& candidate) const;
  std::optional<std::string> give_promise(const Promise& candidate);
  std::string ask_for_proof();
  std::string judge_stream(const wire::HelloBody& body, const StreamIdentity& stream,
                           const Promise& candidate);
  std::string judge_divergence(const StreamIdentity& stream, Position sealed_at,
                               const Promise& candidate);
  std::string follow(const StreamIdentity& stream, Position sealed_at, const Promise& candidate);
  std::string bind(const wire::HelloBody& body, const StreamIdentity& stream, Epoch epoch);
  bool acks_alone(const std::vector<std::string>& rules) const;
  bool is_of_now(std::uint64_t answer_id) const;
  void watch_stream();
  void add_archive_digest(AdmittedHello& hello);
  void add_held_groups(AdmittedHello& hello);

  std::string name_;
  std::uint64_t cluster_id_;
  JournalStore& store_;
  ExposureRecord& exposures_;
  AdmissionHost& host_;
  // Answers to ASK that a START may name: the newest ones, since the journal was last given up.
  std::array<std::uint64_t, 64> answers_{};
  std::size_t next_answer_ = 0;
  std::string refusal_;
  std::string told_;  // what the source is told instead, where that must not name what is here
  bool held_stream_ = false;
  bool not_yet_ = false;  // the HELLO at hand is to be answered when it is repeated
  // Of the HELLO at hand: whether it names an answer of this process, and is refused because not.
  bool bound_ = false;
  bool not_bound_ = false;
  std::uint64_t now_ns_ = 0;
  PromiseBudget budget_;
  std::uint64_t not_bound_count_ = 0;
  std::uint64_t promises_put_off_ = 0;
};

// What operators are told of a divergence.
std::string diverged_text(const Divergence& divergence);

}  // namespace binlane
