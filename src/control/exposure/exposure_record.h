// ExposureRecord: what a replica has on record of what its source released without a quorum, and
// whether it has diverged. [S8, S10]
//
// The record belongs to one journal and one stream, and says nothing of any other. A list counts as
// known only when it is on stable storage: the source tells this replica of what it released
// without a quorum only after that answer. So whatever this replica's server was fed without a
// quorum is inside an interval that is on record here.
//
// DIVERGED is final for the stream: a later term's source has sealed it, and some of what this
// replica's server was fed is not in it. Only a rebuild ends that. Control thread of the replica.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "control/exposure/exposure.h"

namespace binlane {

// As many as a record holds; there cannot be more open ones than this.
inline constexpr std::size_t kMaxExposures = 48;

struct Divergence {
  std::uint32_t term = 0;    // in which the stream was sealed
  Position sealed_at;        // where the later term's log ends
  Position reached;          // what this replica's server may have been fed
  std::uint64_t groups = 0;  // whole event groups in between

  bool operator==(const Divergence&) const = default;
};

// The owner of the record.
struct ExposureOwner {
  Uuid journal;
  Uuid origin;  // of the stream; null: none yet
  std::uint32_t term = 0;

  bool operator==(const ExposureOwner&) const = default;
};

struct ExposureState {
  ExposureOwner owner;
  std::uint64_t total = 0;  // intervals ever opened, as the source has said
  std::vector<Exposure> exposures;
  std::optional<Divergence> divergence;

  bool operator==(const ExposureState&) const = default;
};

std::vector<std::byte> encode_exposure_state(const ExposureState& state);
std::optional<ExposureState> decode_exposure_state(ConstBytes bytes);

// Whether this replica has diverged from a stream that was sealed at `sealed_at`: it was fed up to
// `reached`, and `groups` whole event groups of that are after the seal. A seal before bytes that
// end no group costs nobody anything.
bool has_diverged(Position sealed_at, Position reached, std::uint64_t groups) noexcept;

// What a replica knows of this, for the decision about its log; and that nothing is known of what
// came after its last contact with the source, which had told it of everything up to `heard_of`.
// [S8]
std::vector<std::string> exposure_lines(const ExposureState& state, Position heard_of);

class ExposureRecord {
 public:
  // Returns 0 when the bytes are on stable storage, else an errno, which is final.
  using Store = std::function<int(ConstBytes)>;

  // `found`: what was stored last. Throws StartupError if that is no such record.
  ExposureRecord(std::optional<std::vector<std::byte>> found, Store store);

  // The present journal and stream. A record of another one no longer counts.
  void set_owner(const ExposureOwner& owner);

  // A list that the source of the owner's stream has sent. Returns true when all of it is on stable
  // storage, and may be acknowledged.
  [[nodiscard]] bool take(const ExposureList& list);
  // Returns 0, or an errno: then it holds only until the next start, when the source says it again.
  int set_divergence(const Divergence& divergence);

  const ExposureState& state() const noexcept { return state_; }
  bool diverged() const noexcept { return state_.divergence.has_value(); }
  // Lists that could not be recorded.
  std::uint64_t failures() const noexcept { return failures_; }
  // The result of the last store: 0, or its errno.
  int error() const noexcept { return error_; }

 private:
  int store(const ExposureState& next);

  Store store_;
  ExposureState state_;
  std::uint64_t failures_ = 0;
  int error_ = 0;
};

}  // namespace binlane
