// PreviousGtidsReader: reads the body of a Previous_gtids event in pieces into a MysqlGtidState.
//
// It says how long the next piece is, so that its owner needs to keep no more of the event than
// that. No allocation; whatever the bytes say, it asks for nothing outside the body. A plain value
// of one thread.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "shim/binlog/mysql_gtid_encoding.h"
#include "shim/binlog/mysql_gtid_state.h"

namespace binlane {

class PreviousGtidsReader {
 public:
  // The longest piece: a tag and the number of intervals after it.
  static constexpr std::uint32_t kMaxPiece = MysqlTag::kCapacity + 8;

  // The body has this many bytes, without a checksum.
  void begin(std::uint32_t body_length) noexcept;
  // Length of the next piece, which begins where the last one ends; 0: nothing more is needed.
  std::uint32_t wanted() const noexcept { return wanted_; }
  // A piece of wanted() bytes.
  void take(ConstBytes piece) noexcept;

  // The body was read to its end, and it is a set. The set may have overflowed.
  bool complete() const noexcept { return state_ == State::complete; }
  const MysqlGtidState& list() const noexcept { return list_; }

 private:
  enum class State : std::uint8_t { head, tsid, tag, interval, complete, malformed };

  void want(State state, std::uint32_t length) noexcept;
  void next_tsid() noexcept;
  void next_interval() noexcept;
  void on_head(ConstBytes piece) noexcept;
  void on_tsid(ConstBytes piece) noexcept;
  void on_tag(ConstBytes piece) noexcept;
  void on_interval(ConstBytes piece) noexcept;
  void stop() noexcept;

  State state_ = State::malformed;
  std::uint32_t wanted_ = 0;
  std::uint32_t left_ = 0;  // of the body, after the pieces that were taken
  MysqlGtidSetHead head_;
  std::uint64_t tsids_left_ = 0;
  std::uint64_t intervals_left_ = 0;
  std::uint64_t last_end_ = 0;
  MysqlTsid tsid_;
  MysqlGtidState list_;
};

}  // namespace binlane
