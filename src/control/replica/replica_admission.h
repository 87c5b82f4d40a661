// ReplicaAdmission: decides which source a replica serves, and makes durable what an answer
// promises before the answer is given: the promise [S1], the journal's stream and its change at a
// seal [S2], the quorum rule [S4], what was released without a quorum [S8], and that this replica
// has diverged [S10].
//
// One datagram from a forged address changes nothing durable. A promise, a divergence or another
// stream follow only from a HELLO that names an answer of this process (`answer_id`), and a forger
// does not receive our answers. A HELLO that names none is refused with one, and a real sender
// repeats it with that. [S19]
//
// Knows no thread, no lane and no files: AdmissionHost does what only the host can do.
// ReplicaControl runs it, in the daemon and in the simulator.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/position.h"
#include "base/status.h"
#include "control/exposure/exposure_record.h"
#include "control/replica/held_groups.h"
#include "control/replica/hello_form.h"
#include "control/stream/promise_budget.h"
#include "dataplane/lane/replica_cycle.h"
#include "dataplane/session/hello.h"
#include "storage/archive/archive.h"
#include "storage/journal/journal_store.h"

namespace binlane {

class AdmissionHost {
 public:
  virtual ~AdmissionHost() = default;

  // Why this host refuses every source at present; empty if it does not.
  virtual std::string refuse_all() = 0;
  // While every source is refused: whether this HELLO tells of a source or a term that this host
  // did not know of.
  virtual bool is_news(const wire::HelloBody& body, const Promise& candidate) = 0;
  // Remembers that news. The sender has proven that it receives our answers.
  virtual void hear(const wire::HelloBody& body, const Promise& candidate) = 0;
  // The name of a source that is alive: this host itself, or one that it heard lately. Empty if
  // there is none. For a candidate that looks before a promotion.
  virtual std::string source_alive() = 0;
  virtual ReplicaLaneMarks marks() = 0;
  virtual ArchiverStatus archive() = 0;
  // Digest of the `length` bytes before `end` in an archived file; nothing if they cannot be read.
  virtual std::optional<std::uint32_t> digest_archive(Position end, std::uint64_t length) = 0;
  // Quiesces the lane for the answer. Asked when a START wants to cut.
  virtual std::optional<HeldGroups> held_groups() = 0;
  // Counts the archive's event groups between `divergence.sealed_at` and `divergence.reached`, and
  // stores the number in `divergence.groups`.
  virtual Status count_groups(Divergence& divergence) = 0;
  // Stops the feed, so that this replica's server gets nothing more, and reports why.
  virtual void diverge(const Divergence& divergence) = 0;
  // Binds a journal without a stream, with the lane quiesced.
  virtual Status adopt_stream(const StreamIdentity& stream, const LogMark& learner) = 0;
  // Switches to `stream`: ends the session, and releases everything in the journal. That is safe
  // because the seal was covered by the new rule, even if the mark that said so never arrived.
  // Pending until the archive holds everything up to `sealed_at`.
  virtual Status follow_stream(const StreamIdentity& stream, Position sealed_at) = 0;
  // `joiner`, to which this host has promised itself, asks for this journal's log. If the result is
  // ok, LogDonor serves it.
  virtual Status lend(const std::string& joiner, const Promise& promise) = 0;
};

class ReplicaAdmission {
 public:
  // `store`, `exposures` and `host` must outlive this object. `name` is this replica's.
  ReplicaAdmission(std::string name, std::uint64_t cluster_id, JournalStore& store,
                   ExposureRecord& exposures, AdmissionHost& host);

  // Whether the HELLO is from this cluster, and meant for this replica.
  bool concerns(const wire::HelloBody& body) const;
  // The answer to a HELLO that concerns us, for the lane to send. Nothing: it cannot be answered
  // yet, and the source repeats the HELLO.
  std::optional<AdmittedHello> answer(const HelloMessage& message, const FrameView& frame,
                                      const wire::HelloBody& body, std::uint64_t now_ns);
  // Why the last answer was a refusal, for this host's operators; empty if it was none. The refused
  // source may be told less: neither the stream that this host holds nor the candidate that it
  // promised itself to, because these are all that a stranger needs for the next HELLO.
  const std::string& refusal() const noexcept { return refusal_; }
  // Records a list of what was released without a quorum. Returns the answer once the list is on
  // stable storage, or nothing if it cannot be recorded. The lane has checked that the list comes
  // from the source of the current session.
  std::optional<HelloMessage> record(const HelloMessage& message, const FrameView& frame);
  // Clears the damage, or the learner's mark, on record once `marks` have reached it. Returns
  // whether the record changed.
  bool watch_repair(const ReplicaLaneMarks& marks);
  // Makes the record of exposures that of the present journal and stream.
  void own_exposures();
  // The journal's state as bits of wire::AckState, for the ACKs.
  std::uint16_t state() const;
  // HELLOs whose sender had to repeat them: because they named no answer of this process, or
  // because they wanted a promise before the next one was due (PromiseBudget).
  std::uint64_t not_bound() const noexcept { return not_bound_count_; }
  std::uint64_t promises_put_off() const noexcept { return promises_put_off_; }

 private:
  std::string judge(const FrameView& frame, const wire::HelloBody& body);
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
  // The newest answers to ASK, one of which a START has to name. Cleared when the journal gives up
  // its stream.
  std::array<std::uint64_t, 64> answers_{};
  std::size_t next_answer_ = 0;
  std::string refusal_;
  std::string told_;  // the text for the source, where refusal_ names something it must not learn
  bool held_stream_ = false;
  bool not_yet_ = false;  // the HELLO at hand gets no answer now; its sender repeats it
  // About the HELLO at hand: whether it names an answer of this process, and whether it is refused
  // because it does not.
  bool bound_ = false;
  bool not_bound_ = false;
  std::uint64_t now_ns_ = 0;
  PromiseBudget budget_;
  std::uint64_t not_bound_count_ = 0;
  std::uint64_t promises_put_off_ = 0;
};

// The text about a divergence, for logs, refusals and status.
std::string diverged_text(const Divergence& divergence);

}  // namespace binlane
