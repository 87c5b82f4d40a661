// MemoryStream: a source's binlog in memory: the cycle's BinlogStream and the handshake's
// SourceLogView at once.
#pragma once

#include <cerrno>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "base/stream_digest.h"
#include "dataplane/lane/source_parts.h"
#include "dataplane/session/source_handshake.h"

namespace binlane::test {

class MemoryStream final : public SourceLogView {
 public:
  explicit MemoryStream(std::uint32_t first_file = 1, std::size_t capacity = 1U << 20)
      : first_file_(first_file) {
    units_.reserve(capacity);
    files_.reserve(4096);
    files_.push_back({first_file, 0, false, 0});
  }

  // --- the server writes ---
  void append(ConstBytes bytes) {
    BL_ASSERT(units_.size() + bytes.size() <= units_.capacity());
    units_.insert(units_.end(), bytes.begin(), bytes.end());
    ++groups_;
    group_end_ = units_.size();
  }
  // A group's beginning; the next append() makes it whole.
  void append_part(ConstBytes bytes) {
    BL_ASSERT(units_.size() + bytes.size() <= units_.capacity());
    units_.insert(units_.end(), bytes.begin(), bytes.end());
  }
  void end_file() {
    files_.back().ended = true;
    files_.back().size = units_.size() - files_.back().begin;
    units_.push_back(std::byte{0xfe});
    group_end_ = units_.size();
    files_.push_back({files_.back().number + 1, units_.size(), false, 0});
  }
  // A crash of the server: everything from `to` on is gone.
  void truncate(std::uint64_t to) {
    while (files_.back().begin > to) files_.pop_back();
    files_.back().ended = false;
    units_.resize(to);
    group_end_ = std::min(group_end_, to);
  }
  // The server forgot its files before `number`.
  void purge(std::uint32_t number) { first_file_ = number; }

  // --- BinlogStream ---
  bool poll(std::uint64_t now_ns) {
    all_read_ns_ = now_ns;
    return !stopped;
  }
  std::uint64_t all_read_ns() const { return all_read_ns_; }
  std::uint64_t groups() const { return groups_; }
  std::uint64_t group_end() const { return group_end_; }
  std::uint64_t written() const override { return units_.size(); }
  int read(std::uint64_t at, MutableBytes out, StreamSlice& slice) {
    BL_ASSERT(at < units_.size() && !out.empty());
    const File& file = file_of(at);
    if (file.number < first_file_) return ENOENT;
    slice.at = {file.number, at - file.begin};
    slice.file_end = file.ended && slice.at.offset == file.size;
    if (slice.file_end) {
      slice.length = 1;
      slice.end = {file.number, file.size, file.size, 0};
      return 0;
    }
    const std::uint64_t end = file.ended ? file.begin + file.size : units_.size();
    slice.length = static_cast<std::uint32_t>(std::min<std::uint64_t>(out.size(), end - at));
    std::copy_n(units_.begin() + static_cast<std::ptrdiff_t>(at), slice.length, out.begin());
    return 0;
  }
  Position position_of(std::uint64_t linear) const override {
    const File& file = file_of(linear);
    return {file.number, linear - file.begin};
  }
  // The concept wants a number, the proof wants to know whether there is one.
  std::optional<std::uint64_t> find(const Position& position) const {
    for (const File& file : files_) {
      if (file.number != position.file) continue;
      const std::uint64_t size = file.ended ? file.size : units_.size() - file.begin;
      if (position.offset > size) return std::nullopt;
      return file.begin + position.offset;
    }
    return std::nullopt;
  }

  // --- SourceLogView ---
  Position first() const override { return {first_file_, 0}; }
  std::optional<std::uint64_t> linear_of(const Position& position) const override {
    if (position.file < first_file_) return std::nullopt;
    return find(position);
  }
  std::optional<std::uint32_t> digest(std::uint64_t from, std::uint64_t to) const override {
    BL_ASSERT(from <= to && to <= units_.size());
    std::uint32_t crc = 0;
    while (from < to) {
      const File& file = file_of(from);
      const std::uint64_t end = std::min(to, file.ended ? file.begin + file.size : units_.size());
      if (from == end) {
        crc = digest_file_end(crc);
        ++from;
      } else {
        crc = digest_bytes(crc, from - file.begin, ConstBytes(units_).subspan(from, end - from));
        from = end;
      }
    }
    return crc;
  }
  std::optional<std::uint32_t> digest_below(const Position& end,
                                            std::uint64_t length) const override {
    const auto at = linear_of(end);
    if (!at || length > end.offset) return std::nullopt;
    return digest(*at - length, *at);
  }

  std::byte unit(std::uint64_t linear) const { return units_[linear]; }
  MutableBytes bytes() { return units_; }
  const std::vector<std::byte>& units() const { return units_; }
  bool is_file_end(std::uint64_t linear) const {
    const File& file = file_of(linear);
    return file.ended && linear == file.begin + file.size;
  }

  bool stopped = false;

 private:
  struct File {
    std::uint32_t number = 0;
    std::uint64_t begin = 0;
    bool ended = false;
    std::uint64_t size = 0;  // once ended
  };
  const File& file_of(std::uint64_t linear) const {
    std::size_t i = files_.size() - 1;
    while (files_[i].begin > linear) --i;
    return files_[i];
  }

  std::uint32_t first_file_;
  std::uint64_t all_read_ns_ = 0;
  std::uint64_t groups_ = 0;
  std::uint64_t group_end_ = 0;
  std::vector<std::byte> units_;
  std::vector<File> files_;
};

// The same stream as the cycle sees it: positions beyond its ends are clamped.
class StreamOfLane {
 public:
  explicit StreamOfLane(MemoryStream& stream) : stream_(stream) {}
  bool poll(std::uint64_t now_ns) {
    if (!frozen) written_ = stream_.written();
    return stream_.poll(now_ns);
  }
  std::uint64_t all_read_ns() const { return stream_.all_read_ns(); }
  std::uint64_t groups() const { return stream_.groups(); }
  bool settled() const { return known; }
  std::uint64_t group_end() const { return std::min(written_, stream_.group_end()); }
  std::uint64_t written() const { return written_; }
  int read(std::uint64_t at, MutableBytes out, StreamSlice& slice) {
    const int error = stream_.read(at, out, slice);
    // Bytes beyond what the tailer has seen are not there yet.
    if (error == 0)
      slice.length = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(slice.length, written_ > at ? written_ - at : 0));
    return error;
  }
  Position position_of(std::uint64_t at) const { return stream_.position_of(at); }
  std::uint64_t linear_of(const Position& position) const {
    return std::min(written_, stream_.find(position).value_or(written_));
  }

  // The daemon starts anew: it scans what is there.
  void restart() { written_ = stream_.written(); }

  bool frozen = false;  // the tailer sees nothing new
  bool known = true;    // what the server writes is this stream

 private:
  MemoryStream& stream_;
  std::uint64_t written_ = 0;
};
static_assert(BinlogStream<StreamOfLane>);

// The hosting server's side: remembers how far it was told that a quorum is.
struct FakeServer {
  std::size_t poll(const Position& quorum) {
    if (quorum == told) return 0;
    BL_ASSERT(quorum > told);
    told = quorum;
    ++acknowledgements;
    return 1;
  }
  void pause() { ++pauses; }
  void resume() { ++resumes; }

  Position told;
  std::uint64_t acknowledgements = 0;
  std::uint64_t pauses = 0;
  std::uint64_t resumes = 0;
};
static_assert(SemiSyncServer<FakeServer>);

}  // namespace binlane::test
