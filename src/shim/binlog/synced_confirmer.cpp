#include "shim/binlog/synced_confirmer.h"

#include <algorithm>

#include "base/assert.h"
#include "base/mutant.h"

namespace binlane {

void SyncedConfirmer::on_poll_begin(const Position& dump_position) noexcept {
  candidate_ = dump_position;
  poll_under_way_ = true;
}

void SyncedConfirmer::on_poll_end(std::optional<std::uint64_t> sync_binlog) noexcept {
  BL_ASSERT(poll_under_way_);
  poll_under_way_ = false;
  setting_is_one_ = sync_binlog == 1;
  if (!setting_is_one_) {
    if (trusted_) ++distrusts_;
    trusted_ = false;
    own_sync_counts_ = false;
    return;
  }
  if (BL_MUTANT(synced_untrusted, true, trusted_)) synced_ = std::max(synced_, candidate_);
}

bool SyncedConfirmer::own_sync_begin() noexcept {
  own_sync_counts_ = setting_is_one_;
  return own_sync_counts_;
}

void SyncedConfirmer::on_own_sync(const Position& position) noexcept {
  synced_ = std::max(synced_, position);
  if (own_sync_counts_) trusted_ = true;
  own_sync_counts_ = false;
}

void SyncedConfirmer::restart(const Position& synced) noexcept {
  *this = [&] {
    SyncedConfirmer fresh;
    fresh.synced_ = synced;
    fresh.distrusts_ = distrusts_;
    return fresh;
  }();
}

}  // namespace binlane
