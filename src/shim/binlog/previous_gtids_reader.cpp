#include "shim/binlog/previous_gtids_reader.h"

#include "base/assert.h"
#include "shim/binlog/mysql_field_reader.h"

namespace binlane {
namespace {

constexpr std::uint32_t kCountSize = 8;

}  // namespace

void PreviousGtidsReader::begin(std::uint32_t body_length) noexcept {
  left_ = body_length;
  list_.clear();
  want(State::head, kCountSize);
}

void PreviousGtidsReader::take(ConstBytes piece) noexcept {
  BL_ASSERT(wanted_ > 0 && piece.size() == wanted_ && piece.size() <= left_);
  left_ -= wanted_;
  switch (state_) {
    case State::head:
      return on_head(piece);
    case State::tsid:
      return on_tsid(piece);
    case State::tag:
      return on_tag(piece);
    case State::interval:
      return on_interval(piece);
    case State::complete:
    case State::malformed:
      break;
  }
  BL_ASSERT(false);
}

void PreviousGtidsReader::want(State state, std::uint32_t length) noexcept {
  BL_ASSERT(length > 0 && length <= kMaxPiece);
  if (length > left_) return stop();
  state_ = state;
  wanted_ = length;
}

void PreviousGtidsReader::stop() noexcept {
  state_ = State::malformed;
  wanted_ = 0;
}

void PreviousGtidsReader::next_tsid() noexcept {
  if (tsids_left_ > 0) {
    --tsids_left_;
    // The tagged encoding has the length of the tag in one more byte.
    const bool tagged = head_.encoding == MysqlGtidEncoding::tagged;
    return want(State::tsid, static_cast<std::uint32_t>(kMysqlUuidSize) + (tagged ? 1 : 0));
  }
  wanted_ = 0;
  state_ = left_ == 0 ? State::complete : State::malformed;
}

void PreviousGtidsReader::next_interval() noexcept {
  if (intervals_left_ == 0) return next_tsid();
  --intervals_left_;
  want(State::interval, static_cast<std::uint32_t>(kGnoIntervalSize));
}

void PreviousGtidsReader::on_head(ConstBytes piece) noexcept {
  const auto head = decode_gtid_set_head(load_le<std::uint64_t>(piece.data()));
  if (!head) return stop();
  head_ = *head;
  tsids_left_ = head_.tsid_count;
  next_tsid();
}

void PreviousGtidsReader::on_tsid(ConstBytes piece) noexcept {
  MysqlFieldReader reader(piece);
  tsid_ = {reader.uuid(), {}};
  // A length that the varint's first byte does not contain is none of a tag.
  const std::uint64_t tag_length =
      head_.encoding == MysqlGtidEncoding::tagged ? reader.varint() : 0;
  if (reader.failed() || tag_length > MysqlTag::kCapacity) return stop();
  want(State::tag, static_cast<std::uint32_t>(tag_length) + kCountSize);
}

void PreviousGtidsReader::on_tag(ConstBytes piece) noexcept {
  const auto tag = MysqlTag::parse(piece.first(piece.size() - kCountSize));
  if (!tag) return stop();
  tsid_.tag = *tag;
  intervals_left_ = load_le<std::uint64_t>(piece.last(kCountSize).data());
  last_end_ = 0;
  next_interval();
}

void PreviousGtidsReader::on_interval(ConstBytes piece) noexcept {
  const GnoInterval interval{load_le<std::uint64_t>(piece.data()),
                             load_le<std::uint64_t>(piece.data() + 8)};
  if (interval.begin <= last_end_ || interval.end <= interval.begin ||
      interval.end > kMaxMysqlGno + 1) {
    return stop();
  }
  last_end_ = interval.end;
  list_.add(tsid_, interval);
  next_interval();
}

}  // namespace binlane
