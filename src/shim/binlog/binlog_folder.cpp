#include "shim/binlog/binlog_folder.h"

#include <cerrno>

#include "base/assert.h"
#include "base/heartbeat.h"
#include "base/mutant.h"

namespace binlane {

SyncResult sync_files(const BinlogFolder& folder, std::uint32_t first, std::uint32_t last) {
  BL_ASSERT(first > 0 && first <= last);
  for (std::uint64_t number = first; number <= last; ++number) {
    const auto file = static_cast<std::uint32_t>(number);
    still_alive();  // each of them may take as long as a disk takes
    const OpenBinlog binlog(folder, file);
    if (binlog.error() == ENOENT && file < last) continue;
    if (binlog.error() != 0) return {binlog.error(), file};
    const int error = BL_MUTANT(synced_without_fdatasync, 0, folder.sync(binlog.handle()));
    if (error != 0) return {-error, file};
  }
  return {};
}

SyncResult sync_up_to(const BinlogFolder& folder, std::uint32_t first, Position end) {
  const std::uint32_t last = end.last_file();
  return first > last ? SyncResult{} : sync_files(folder, first, last);
}

}  // namespace binlane
