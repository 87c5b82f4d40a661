// A replica's whole answer to a source: the production ReplicaAdmission over a superblock that is
// encoded and read back at each store, an exposure record likewise, and the lane's half of the
// handshake over a real journal; with a peer that says anything.
//
// An input is {shape, records}. A record is {control, term, incarnation, chunk}: the chunk is the
// body of a HELLO, or of a list of exposures; the control byte puts right what a fuzzer would
// hardly guess: the names, the stream held, the number of the last answer.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/replica/replica_admission.h"
#include "dataplane/session/replica_handshake.h"
#include "fuzz_journal.h"
#include "fuzz_target.h"

namespace {

using namespace binlane;

constexpr std::uint64_t kCluster = 0xc1;
constexpr Endpoint kPeer{2, 2};
constexpr std::size_t kMaxRecords = 48;
constexpr std::uint32_t kReceiverPayload = 64;

enum Control : std::uint8_t {
  kNamed = 1 << 0,      // of this cluster, for this replica, of a candidate
  kBound = 1 << 1,      // names the last answer
  kOurStream = 1 << 2,  // of the stream that the journal holds
  kSeals = 1 << 3,      // names the present stream as the one before its own
  kComplete = 1 << 4,   // writes in flight end
  kLater = 1 << 5,      // two seconds have passed
  kExposed = 1 << 6,    // a list of exposures instead of a HELLO
  kSameAgain = 1 << 7,  // handshake id as before
};

Uuid uuid_from(std::uint8_t number) {
  Uuid id;
  id.bytes.fill(number);
  return id;
}

// What is stored must be readable at the next start, and say the same.
class Superblock final : public JournalStore {
 public:
  explicit Superblock(const JournalMeta& meta) {
    load(meta);
    BL_ASSERT(store(meta) == 0);
  }
  const std::string& path() const noexcept override { return path_; }
  const JournalStart& start() const noexcept override { return start_; }
  MutableBytes image() noexcept override { return {}; }
  const std::vector<std::byte>& bytes() const { return bytes_; }
  std::uint64_t stores() const { return stores_; }

 private:
  JournalStart& mutable_start() noexcept override { return start_; }
  int store(const JournalMeta& meta) override {
    bytes_ = encode_journal_meta(meta);
    std::string error;
    const auto again = decode_journal_meta(bytes_, error);
    BL_ASSERT(again && encode_journal_meta(*again) == bytes_);
    BL_ASSERT(again->promise == meta.promise && again->stream == meta.stream);
    ++stores_;
    return 0;
  }

  std::string path_ = "journal";
  JournalStart start_;
  std::vector<std::byte> bytes_;
  std::uint64_t stores_ = 0;
};

class Host final : public AdmissionHost {
 public:
  Host(Superblock& store, fuzz::FuzzJournal& journal, std::uint8_t shape)
      : store_(store), journal_(journal), shape_(shape) {}

  std::string refuse_all() override { return (shape_ & 2) != 0 ? "a source itself" : ""; }
  bool is_news(const wire::HelloBody&, const Promise&) override { return true; }
  void hear(const wire::HelloBody&, const Promise& candidate) override {
    heard_term = std::max(heard_term, candidate.term);
  }
  std::string source_alive() override { return (shape_ & 4) != 0 ? "a" : ""; }
  ReplicaLaneMarks marks() override {
    ReplicaLaneMarks marks;
    marks.epoch = journal_->epoch();
    marks.received = journal_->end();
    marks.durable = journal_->durable();
    marks.released = journal_->released();
    return marks;
  }
  ArchiverStatus archive() override {
    ArchiverStatus status;
    status.end = status.durable = journal_->released();
    return status;
  }
  std::optional<std::uint32_t> digest_archive(Position, std::uint64_t length) override {
    return (shape_ & 8) != 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(length));
  }
  std::optional<HeldGroups> held_groups() override { return HeldGroups{0, 0}; }
  Status count_groups(Divergence& divergence) override {
    divergence.groups = 3;
    return Status::ok();
  }
  void diverge(const Divergence&) override { ++divergences; }
  Status adopt_stream(const StreamIdentity& stream, const LogMark& learner) override {
    return store_.set_stream(stream, learner) == 0 ? Status::ok()
                                                   : Status::failed("it cannot be stored");
  }
  // The journal that follows is not modelled: it does not change, and nothing more is asked.
  Status follow_stream(const StreamIdentity& stream, Position sealed_at) override {
    if (!journal_->idle()) return Status::pending();
    followed = true;
    return store_.switch_stream(stream, sealed_at, store_.meta().archived) == 0
               ? Status::ok()
               : Status::failed("it cannot be stored");
  }
  Status lend(const std::string&, const Promise&) override { return Status::ok(); }

  std::uint32_t heard_term = 0;
  int divergences = 0;
  bool followed = false;

 private:
  Superblock& store_;
  fuzz::FuzzJournal& journal_;
  std::uint8_t shape_;
};

template <class Body>
Body body_from(ConstBytes chunk) {
  Body body;
  std::memcpy(static_cast<void*>(&body), chunk.data(), std::min(chunk.size(), sizeof body));
  return body;
}

struct Replica {
  explicit Replica(std::uint8_t shape)
      : store(first_meta((shape & 1) != 0)),
        host(store, journal, shape),
        exposures(std::nullopt,
                  [this](ConstBytes bytes) {
                    exposed.assign(bytes.begin(), bytes.end());
                    return decode_exposure_state(bytes) ? 0 : EINVAL;
                  }),
        admission("r1", kCluster, store, exposures, host) {
    if ((shape & 1) == 0) return;
    journal.begin({3, 0}, {2, 2});
    std::vector<std::byte> bytes(9'000, std::byte{7});
    BL_ASSERT(journal->append({3, 0}, bytes));
    journal.complete_writes();
    journal->release(4'000);
  }
  static JournalMeta first_meta(bool holds) {
    JournalMeta meta;
    meta.journal = uuid_from(4);
    meta.block_count = fuzz::FuzzJournal::kBlocks;
    if (!holds) return meta;
    meta.stream = {uuid_from(9), 2, "binlog"};
    meta.promise = {2, uuid_from(9)};
    return meta;
  }

  fuzz::FuzzJournal journal;
  Superblock store;
  Host host;
  std::vector<std::byte> exposed;
  ExposureRecord exposures;
  ReplicaAdmission admission;
  ReplicaHandshake handshake{kCluster, "r1"};
  ReceiverSession session{kReceiverPayload};
  std::uint64_t now_ns = kNanosPerSecond;
  std::uint64_t answer_id = 0;
  std::uint64_t handshake_id = 1;
};

void put_right(Replica& replica, std::uint8_t control, wire::HelloBody& body) {
  if ((control & kNamed) != 0) {
    body.cluster_id = kCluster;
    set_field(body.replica_name, "r1");
    if (uuid_of(body.candidate).is_null()) body.candidate[0] = 9;
    if (body.basename[0] == '\0') set_field(body.basename, "binlog");
  }
  const StreamIdentity held = replica.store.stream();
  const auto put = [&](std::uint8_t(&to)[16]) {
    std::copy(held.origin.bytes.begin(), held.origin.bytes.end(), std::begin(to));
  };
  if ((control & kOurStream) != 0 && !held.is_null()) {
    put(body.origin);
    body.stream_term = held.term;
    set_field(body.basename, held.basename);
    body.start_at = to_wire(replica.journal->released());
  }
  if ((control & kSeals) != 0 && !held.is_null()) {
    put(body.sealed_origin);
    body.sealed_term = held.term;
  }
  if ((control & kSameAgain) != 0) body.handshake_id = replica.handshake_id;
  replica.handshake_id = body.handshake_id;
  if ((control & kBound) != 0) body.answer_id = replica.answer_id;
}

void take_reply(Replica& replica, const HelloMessage& reply) {
  FrameView view;
  BL_ASSERT(decode(reply.frame(), view) == FrameFault::none &&
            view.type() == wire::Type::hello_ack);
  const auto ack = body_as<wire::HelloAckBody>(view);
  BL_ASSERT(ack.digest_count <= wire::kDigests && ack.digest_to <= ack.log_length);
  // No peer is told of a promise that was not given.
  BL_ASSERT(std::uint32_t{ack.promised.term} <= replica.store.promise().term);
  replica.answer_id = ack.answer_id;
}

void say_hello(Replica& replica, std::uint8_t control, Epoch epoch, ConstBytes chunk) {
  auto body = body_from<wire::HelloBody>(chunk);
  put_right(replica, control, body);
  HelloMessage message;
  build_hello(message, {wire::Type::hello, 0, 77, epoch, 0}, body);
  message.peer = kPeer;
  FrameView view;
  BL_ASSERT(decode(message.frame(), view) == FrameFault::none);
  if (!replica.admission.concerns(body) || replica.host.followed) return;
  const auto hello = replica.admission.answer(message, view, body, replica.now_ns);
  if (!hello) return;
  HelloMessage reply;
  if (replica.handshake.on_hello(*hello, *replica.journal, replica.session,
                                 replica.admission.state(), reply))
    take_reply(replica, reply);
}

void tell_exposures(Replica& replica, Epoch epoch, ConstBytes chunk) {
  auto body = body_from<wire::ExposedBody>(chunk);
  const StreamIdentity held = replica.store.stream();
  std::copy(held.origin.bytes.begin(), held.origin.bytes.end(), body.origin);
  body.stream_term = held.term;
  HelloMessage message;
  message.peer = kPeer;
  std::memcpy(message.bytes.data() + sizeof(wire::Header), static_cast<const void*>(&body),
              sizeof body);
  message.length = finish_frame(message.bytes, {wire::Type::exposed, 0, 77, epoch, 1}, sizeof body);
  FrameView view;
  BL_ASSERT(decode(message.frame(), view) == FrameFault::none);
  static_cast<void>(replica.admission.record(message, view));
}

void step(Replica& replica, fuzz::Input& input) {
  const std::uint8_t control = input.byte();
  const Epoch epoch{input.number<std::uint32_t>(), input.number<std::uint32_t>()};
  const ConstBytes chunk = input.chunk();
  if ((control & kLater) != 0) replica.now_ns += 2 * kNanosPerSecond;

  const std::vector<std::byte> stored = replica.store.bytes();
  const std::vector<std::byte> exposed = replica.exposed;
  const Promise promise = replica.store.promise();
  const std::uint32_t heard = replica.host.heard_term;
  const Position released = replica.journal->released();
  const std::uint64_t end = replica.journal->end_log();
  const bool was_settling = replica.handshake.settling();
  const bool bound = (control & kBound) != 0 && replica.answer_id != 0;
  // What a fuzzer puts into the body itself cannot be the number of an answer: they are random.
  if ((control & kExposed) != 0)
    tell_exposures(replica, epoch, chunk);
  else
    say_hello(replica, control, epoch, chunk);

  const Promise now = replica.store.promise();
  BL_ASSERT(now.term >= promise.term && now.term - promise.term <= kMaxTermStep);
  BL_ASSERT(now.term > promise.term || now == promise);
  if (!bound && (control & kExposed) == 0) {
    // One datagram of a sender that hears no answer changes nothing durable.
    BL_ASSERT(replica.store.bytes() == stored && replica.exposed == exposed);
    BL_ASSERT(replica.host.heard_term == heard);
    BL_ASSERT(was_settling || replica.journal->end_log() == end);
  }
  HelloMessage reply;
  if (replica.handshake.poll(*replica.journal, replica.session, replica.admission.state(), reply))
    take_reply(replica, reply);
  if ((control & kComplete) != 0) replica.journal.complete_writes();
  BL_ASSERT(replica.journal->released() >= released);
  BL_ASSERT(replica.journal->end_log() >= replica.journal->released_log());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  auto replica = std::make_unique<Replica>(input.byte());
  for (std::size_t i = 0; i < kMaxRecords && !input.empty(); ++i) step(*replica, input);
  return 0;
}
