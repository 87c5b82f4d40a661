// Side: the part of a session that a script tests, with a port and a disk that the script owns.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "dataplane/port/port.h"
#include "script.h"
#include "support/frames.h"
#include "support/virtual_clock.h"

namespace binlane::test {

inline constexpr std::uint64_t kScriptSession = 7;
inline constexpr Epoch kScriptEpoch{1, 1};
inline constexpr Endpoint kNear{1, 7100};
inline constexpr Endpoint kFar{2, 7100};

// The bytes of every script's stream: each offset has its own.
inline std::byte script_byte(std::uint64_t linear) {
  return static_cast<std::byte>((linear * 131 + (linear >> 8) * 17 + 5) & 0xff);
}

class ScriptPort {
 public:
  std::span<const Datagram> rx() {
    handed_out_.swap(arrived_);
    arrived_.clear();
    datagrams_.clear();
    for (const Bytes& frame : handed_out_) datagrams_.push_back({frame, kFar});
    return datagrams_;
  }
  MutableBytes tx_buffer() { return buffers ? MutableBytes(buffer_) : MutableBytes{}; }
  void tx_commit(const Endpoint&, std::uint32_t length) {
    queued_.emplace_back(buffer_.begin(), buffer_.begin() + length);
  }
  void flush() {
    for (Bytes& frame : queued_) sent.push_back(std::move(frame));
    queued_.clear();
  }
  std::uint32_t max_payload() const { return static_cast<std::uint32_t>(buffer_.size()); }
  void set_max_payload(std::uint32_t size) { buffer_.resize(size); }
  void arrive(Bytes frame) { arrived_.push_back(std::move(frame)); }

  bool buffers = true;
  std::vector<Bytes> sent;

 private:
  Bytes buffer_ = Bytes(wire::kMinMaxPayload);
  std::vector<Bytes> arrived_;
  std::vector<Bytes> handed_out_;
  std::vector<Bytes> queued_;
  std::vector<Datagram> datagrams_;
};
static_assert(Port<ScriptPort>);

class Side {
 public:
  virtual ~Side() = default;
  // An action or a packet that comes in.
  virtual void apply(const ScriptLine& line) = 0;
  virtual std::size_t turn() = 0;
  // Takes in what the lane published; after each moment's turns.
  virtual void look() = 0;
  virtual ScriptPacket describe(const FrameView& frame) const = 0;
  // The value of a check line's first word.
  virtual std::string value(const ScriptLine& line) const = 0;
  // What must hold at the end of every script; throws otherwise.
  virtual void finish() const = 0;

  VirtualClock clock;
  ScriptPort port;
};

std::unique_ptr<Side> make_source_side(const ScriptLine& head);
std::unique_ptr<Side> make_replica_side(const ScriptLine& head);

inline std::string show_epoch(Epoch epoch) {
  return std::to_string(epoch.term) + "." + std::to_string(epoch.incarnation);
}
// The epoch a line names, or the script's.
inline Epoch epoch_of(const ScriptLine& line) {
  const auto found = line.fields.find("epoch");
  if (found == line.fields.end()) return kScriptEpoch;
  const auto dot = found->second.find('.');
  return {static_cast<std::uint32_t>(parse_number(found->second.substr(0, dot))),
          static_cast<std::uint32_t>(parse_number(found->second.substr(dot + 1)))};
}

}  // namespace binlane::test
