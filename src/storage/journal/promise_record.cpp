#include "storage/journal/promise_record.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "base/bytes.h"
#include "base/error.h"

namespace binlane {
namespace {

constexpr std::uint32_t kVersion = 1;

struct PackedPromise {
  le32 version;
  le32 term;
  std::array<std::uint8_t, 16> candidate{};
};
static_assert(sizeof(PackedPromise) == 24 && alignof(PackedPromise) == 1);

}  // namespace

std::string PromiseRecord::path_beside(const std::string& journal) {
  return journal + ".promise";
}

PromiseRecord::PromiseRecord(const std::string& journal) : record_(path_beside(journal)) {
  if (!record_.load()) return;
  PackedPromise packed;
  if (record_.load()->size() != sizeof packed)
    throw StartupError(
        fmt::format("{}: the record does not have the length of a promise", record_.path()));
  std::memcpy(&packed, record_.load()->data(), sizeof packed);
  if (packed.version != kVersion)
    throw StartupError(
        fmt::format("{}: the record has format version {}, but this binlaned knows {}",
                    record_.path(), static_cast<std::uint32_t>(packed.version), kVersion));
  promise_ = {packed.term, {packed.candidate}};
}

int PromiseRecord::store(const Promise& promise) {
  if (promise == promise_) return 0;
  PackedPromise packed;
  packed.version = kVersion;
  packed.term = promise.term;
  packed.candidate = promise.candidate.bytes;
  std::array<std::byte, sizeof packed> bytes;
  std::memcpy(bytes.data(), &packed, sizeof packed);
  const int error = record_.store(bytes);
  if (error == 0) promise_ = promise;
  return error;
}

}  // namespace binlane
