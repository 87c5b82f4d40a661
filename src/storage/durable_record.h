// DurableRecord: one small state record that survives a power cut, in a file of its own.
//
// The file holds two slots of 4 KiB (record_slots.h). store() overwrites the older slot and returns
// only when it is durable. So a crash in the middle leaves the newer slot untouched, and load()
// returns either the previous record or the new one, never a mixture. The file is created under
// another name, complete and synced, and then renamed. So a file in which neither slot validates
// was damaged, and opening it is refused; it is never taken for new.
//
// Limit: a slot that does not validate beside one that does is taken for a torn store. If the newer
// slot rotted *after* its store returned, this looks the same; slot_was_damaged() says that one of
// the two slots did not validate.
//
// Not for lanes. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "storage/file_util.h"
#include "storage/record_slots.h"

namespace binlane {

class DurableRecord {
 public:
  static constexpr std::size_t kSlotSize = kRecordSlotSize;
  static constexpr std::size_t kMaxPayloadSize = kMaxRecordPayload;

  // Opens the record at `path`, creating an empty one when there is no file, and locks it against a
  // second opening. Throws StartupError.
  explicit DurableRecord(std::string path);

  static bool exists(const std::string& path);

  // The newest payload stored; empty when nothing was stored yet.
  const std::optional<std::vector<std::byte>>& load() const noexcept { return newest_; }

  // Makes `payload` (at most kMaxPayloadSize bytes) the record. Returns 0 when it is durable, else
  // an errno. An error is final for this object: every later call returns it again, because after a
  // failed sync the kernel no longer knows what is on the medium.
  [[nodiscard]] int store(ConstBytes payload);
  // The same, but also works after an error. The slot that failed is written again as a whole, so
  // nothing depends on what the kernel may have kept of the failed write; and the other slot is not
  // touched before this one is durable.
  [[nodiscard]] int store_again(ConstBytes payload);

  bool slot_was_damaged() const noexcept { return slot_was_damaged_; }
  std::uint64_t sequence() const noexcept { return sequence_; }  // stores so far
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  FileDescriptor file_;  // which makes the object movable, not copyable
  int error_ = 0;
  std::uint64_t sequence_ = 0;  // of the newest slot, which is slot sequence_ % 2
  bool slot_was_damaged_ = false;
  std::optional<std::vector<std::byte>> newest_;
};

}  // namespace binlane
