#include "control/replica/archive_pruner.h"

#include <algorithm>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

namespace binlane {
namespace {

constexpr std::uint64_t kFirstRateNs = 60 * kNanosPerSecond;
constexpr std::uint64_t kRateWindowNs = 3600 * kNanosPerSecond;

std::string path_of(const ArchiveFolder& stream, std::uint32_t number) {
  return stream.directory + "/" + binlog_file_name(stream.basename, number);
}

}  // namespace

std::vector<ArchiveFolder> archive_folders(const JournalMeta& meta, const std::string& archive) {
  std::vector<ArchiveFolder> folders;
  const auto add = [&](const StreamIdentity& stream, bool own_folder) {
    if (stream.basename.empty()) return;
    const std::string subfolder = archive_subfolder(stream, own_folder);
    folders.push_back({subfolder.empty() ? archive : archive + "/" + subfolder, stream.basename});
  };
  for (const SealedStream& sealed : meta.sealed) add(sealed.stream, sealed.own_folder);
  add(meta.stream, meta.own_folder);
  return folders;
}

void GrowthRate::sample(std::uint64_t bytes_ever, std::uint64_t now_ns) {
  BL_ASSERT(!base_ || now_ns >= base_->at_ns);
  const Sample now{bytes_ever, now_ns};
  if (!base_ || bytes_ever < base_->bytes) {
    base_ = now;
    next_base_.reset();
    return;
  }
  const std::uint64_t window_ns = now_ns - base_->at_ns;
  if (window_ns < kFirstRateNs) return;
  rate_ = static_cast<double>(bytes_ever - base_->bytes) * static_cast<double>(kNanosPerSecond) /
          static_cast<double>(window_ns);
  if (!next_base_ && window_ns >= kRateWindowNs) next_base_ = now;
  if (next_base_ && now_ns - next_base_->at_ns >= kRateWindowNs) {
    base_ = next_base_;
    next_base_ = now;
  }
}

void ArchivePruner::turn(std::span<const ArchiveFolder> streams, RetentionFacts facts,
                         std::uint64_t now_ns) {
  next_ns_ = now_ns + kTurnNs;
  facts.files.clear();
  for (std::size_t i = 0; i < streams.size(); ++i) {
    for (const ArchiveEntry& entry : io_.list(streams[i].directory, streams[i].basename))
      facts.files.push_back({i, entry.number, entry.size, entry.age_s});
  }
  View next = view();
  next.free_bytes = streams.empty() ? std::nullopt : io_.free_bytes(streams.back().directory);
  // While the free space is unknown, nothing is deleted for lack of it.
  facts.free_bytes = next.free_bytes.value_or(UINT64_MAX);
  const RetentionPlan plan = plan_retention(policy(), facts);
  next.files = facts.files.size();
  next.bytes = plan.bytes;
  next.kept = plan.kept;
  next.over_limit = plan.over_limit;
  if (plan.disk_nearly_full && !next.nearly_full)
    log::warning(
        "archive_disk_nearly_full",
        "{} has {} MiB free, less than archive_min_free_mb. Archived files that nobody needs "
        "are deleted early",
        streams.back().directory, facts.free_bytes >> 20);
  next.nearly_full = plan.disk_nearly_full;
  remove(streams, facts, std::min(plan.remove, kRemovalsPerTurn), next);
  growth_.sample(next.bytes + next.removed_bytes, now_ns);
  if (const auto rate = growth_.bytes_per_second(); rate && *rate > 0 && next.free_bytes)
    next.days_left =
        static_cast<double>(*next.free_bytes) / *rate / static_cast<double>(kSecondsADay);
  else
    next.days_left.reset();
  const std::lock_guard lock(mutex_);
  view_ = std::move(next);
}

// Oldest first, and none after a file that cannot be deleted, so that no gap appears in a stream.
void ArchivePruner::remove(std::span<const ArchiveFolder> streams, const RetentionFacts& facts,
                           std::size_t count, View& view) {
  BL_ASSERT(count <= facts.files.size());
  for (std::size_t i = 0; i < count; ++i) {
    const RetainedFile& file = facts.files[i];
    BL_ASSERT(file.stream < streams.size() && view.files > 0 && view.bytes >= file.size);
    const std::string path = path_of(streams[file.stream], file.number);
    if (const int error = io_.remove(path); error != 0) {
      ++view.failures;
      std::string failure = path + ": " + errno_text(error);
      if (failure != view.failure)
        log::error("archive_file_not_deleted", "cannot delete {}: {}", path, errno_text(error));
      view.failure = std::move(failure);
      return;
    }
    log::info("archive_file_deleted", "deleted {} ({} bytes), which nobody needs any more", path,
              file.size);
    view.failure.clear();
    ++view.removed_files;
    view.removed_bytes += file.size;
    --view.files;
    view.bytes -= file.size;
  }
}

void ArchivePruner::set_policy(const RetentionPolicy& policy) {
  {
    const std::lock_guard lock(mutex_);
    policy_ = policy;
  }
  next_ns_ = 0;
}

RetentionPolicy ArchivePruner::policy() const {
  const std::lock_guard lock(mutex_);
  return policy_;
}

ArchivePruner::View ArchivePruner::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

}  // namespace binlane
