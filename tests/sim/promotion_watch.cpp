#include "promotion_watch.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/assert.h"
#include "source_host.h"

namespace binlane::sim {

void PromotionWatch::begin() {
  if (record_.step < PromotionStep::sealed) record_ = {};
  held_ = {};
  sealed_at_ = {};
  released_ = false;
  fetches_ = 0;
}

void PromotionWatch::forget() {
  record_ = {};
  sealed_at_ = {};
}

void PromotionWatch::observe(const RoleState& role, const Promoter& promoter) {
  using Phase = Promoter::Phase;
  host_id_ = role.host_id;
  const Phase before = std::exchange(phase_, promoter.phase());
  if (before == Phase::fetch && phase_ == Phase::drain) ++fetches_;
  if (phase_ == Phase::inspect) held_ = promoter.held();
  if (role.promotion.step != PromotionStep::none) note_record(role.promotion);
}

void PromotionWatch::note_record(const PromotionRecord& record) {
  const bool sealed =
      record.step >= PromotionStep::sealed && (sealed_at_.is_null() || record.term != record_.term);
  record_ = record;
  const bool released = !released_ && record.step == PromotionStep::released;
  released_ = released_ || record.step >= PromotionStep::released;
  if (released && on_released) on_released();
  if (!sealed || record.step >= PromotionStep::active) return;
  sealed_at_ = record.sealed_at;
  copy_sealed();
  trace_.note("stream sealed", record.term, sealed_at_.file, sealed_at_.offset);
  if (on_sealed) on_sealed();
}

// If the host was re-seeded after the decision its files are gone, and the copy of before remains.
void PromotionWatch::copy_sealed() {
  const std::string folder = fmt::format("{}/sealed/{}", kDataFolder, record_.term);
  const std::vector<ArchiveEntry> entries = files_.list(folder, kBasename);
  if (entries.empty()) return;
  sealed_.reset();
  for (const ArchiveEntry& entry : entries) {
    const auto* const bytes = files_.data(folder + "/" + binlog_file_name(kBasename, entry.number));
    BL_ASSERT(bytes != nullptr);
    sealed_.create(entry.number);
    if (!bytes->empty()) sealed_.append(entry.number, *bytes);
    sealed_.sync(entry.number);
  }
  BL_ASSERT((Position{sealed_.last(), sealed_.file(sealed_.last()).data.size()}) == sealed_at_);
}

}  // namespace binlane::sim
