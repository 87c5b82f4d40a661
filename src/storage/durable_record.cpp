#include "storage/durable_record.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "storage/file_util.h"

namespace binlane {
namespace {

constexpr std::uint64_t kRecordMagic = 0x64726f6365726c62;  // "blrecord"
constexpr std::uint16_t kRecordVersion = 1;
constexpr std::size_t kSlotCount = 2;

struct Slot {
  le64 magic;
  le16 version;
  le16 zero;
  le32 length;
  le64 sequence;
  le32 crc;  // over the whole slot with this field zeroed
  std::array<std::byte, 36> reserved{};
  std::array<std::byte, DurableRecord::kSlotSize - 64> payload{};
};
static_assert(sizeof(Slot) == DurableRecord::kSlotSize);
static_assert(offsetof(Slot, length) == 12 && offsetof(Slot, sequence) == 16 &&
              offsetof(Slot, crc) == 24 && offsetof(Slot, payload) == 64);
static_assert(DurableRecord::kMaxPayloadSize <= sizeof(Slot::payload));

ConstBytes bytes_of(const Slot& slot) {
  return {reinterpret_cast<const std::byte*>(&slot), sizeof slot};
}

std::uint32_t slot_crc(Slot slot) {
  slot.crc = 0;
  return crc32c(0, bytes_of(slot));
}

Slot make_slot(std::uint64_t sequence, ConstBytes payload) {
  Slot slot;
  slot.magic = kRecordMagic;
  slot.version = kRecordVersion;
  slot.length = static_cast<std::uint32_t>(payload.size());
  slot.sequence = sequence;
  std::copy(payload.begin(), payload.end(), slot.payload.begin());
  slot.crc = slot_crc(slot);
  return slot;
}

// A record stands only in the slot its sequence belongs to, so that a misdirected write does not
// count. The version is judged by the caller: another version must be refused, not overwritten.
bool is_valid(const Slot& slot, std::size_t index) {
  return slot.magic == kRecordMagic && slot.crc == slot_crc(slot) &&
         slot.length <= DurableRecord::kMaxPayloadSize && slot.sequence % kSlotCount == index;
}

[[noreturn]] void fail(const std::string& path, const char* what, int code) {
  throw StartupError(fmt::format("{}: {}: {}", path, what, errno_text(code)));
}

// Makes an empty record appear at `path` in one step: either the complete file is there, or none.
void create(const std::string& path) {
  const std::string temporary = path + ".new";
  FileDescriptor file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file.is_open()) fail(temporary, "cannot create the record", errno);
  const Slot empty = make_slot(0, {});
  const Slot zero{};
  int error = write_all(file.get(), bytes_of(empty), 0);
  if (error == 0) error = write_all(file.get(), bytes_of(zero), DurableRecord::kSlotSize);
  if (error != 0) fail(temporary, "cannot write the record", error);
  if (::fsync(file.get()) != 0) fail(temporary, "cannot sync the record", errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail(path, "cannot name the record", errno);
  error = sync_directory(parent_directory(path));
  if (error != 0) fail(path, "cannot sync the record's folder", error);
}

}  // namespace

bool DurableRecord::exists(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT) fail(path, "cannot look for the record", errno);
  return false;
}

DurableRecord::DurableRecord(std::string path) : path_(std::move(path)) {
  if (!exists(path_)) create(path_);
  FileDescriptor file(::open(path_.c_str(), O_RDWR | O_DSYNC | O_CLOEXEC));
  if (!file.is_open()) fail(path_, "cannot open the record", errno);
  if (const int error = lock_exclusively(file.get()); error != 0) {
    fail(path_, "the record is in use by another process", error);
  }
  // What is read below may so far be in the page cache or the device's cache only, if the last
  // process died inside a store. It must not be relied on before it is durable.
  if (::fdatasync(file.get()) != 0) fail(path_, "cannot sync the record", errno);
  std::array<Slot, kSlotCount> slots;
  const MutableBytes raw(reinterpret_cast<std::byte*>(slots.data()), sizeof slots);
  const std::int64_t count = read_all(file.get(), raw, 0);
  if (count < 0) fail(path_, "cannot read the record", static_cast<int>(-count));
  const Slot* newest = nullptr;
  for (std::size_t i = 0; i < kSlotCount; ++i) {
    if (!is_valid(slots[i], i)) continue;
    if (newest == nullptr || slots[i].sequence > newest->sequence) newest = &slots[i];
  }
  if (newest == nullptr) {
    throw StartupError(fmt::format(
        "{}: the record is damaged: neither of its two copies validates; restore it from a backup "
        "or re-create what it belongs to",
        path_));
  }
  if (newest->version != kRecordVersion) {
    throw StartupError(fmt::format("{}: the record has format version {}, this program knows {}",
                                   path_, static_cast<unsigned>(newest->version), kRecordVersion));
  }
  sequence_ = newest->sequence;
  // The second slot is zero until the first store.
  slot_was_damaged_ =
      sequence_ > 0 && !is_valid(slots[(sequence_ + 1) % kSlotCount], (sequence_ + 1) % kSlotCount);
  if (sequence_ > 0) {
    newest_.emplace(newest->payload.begin(), newest->payload.begin() + newest->length);
  }
  file_ = std::move(file);
}

int DurableRecord::store(ConstBytes payload) {
  BL_ASSERT(payload.size() <= kMaxPayloadSize);
  if (error_ != 0) return error_;
  const Slot slot = make_slot(sequence_ + 1, payload);
  BL_ASSERT(is_valid(slot, (sequence_ + 1) % kSlotCount));
  // O_DSYNC: the write returns when the slot is durable.
  error_ = write_all(file_.get(), bytes_of(slot), (sequence_ + 1) % kSlotCount * kSlotSize);
  if (error_ != 0) return error_;
  ++sequence_;
  newest_.emplace(payload.begin(), payload.end());
  return 0;
}

}  // namespace binlane
