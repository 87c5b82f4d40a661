#include "shim/feed/file_crossing.h"

#include "base/mutant.h"
#include "shim/binlog/gtid_continuity.h"

namespace binlane {

std::string FileCrossing::on_gtid_list(std::span<const GtidEntry> list, bool server_started) {
  std::string problem;
  if (BL_MUTANT(gap_between_files_fed, false, known_)) {
    const auto end = end_.list();
    if (!continues(judge_continuity(begin_, end, list), !server_started))
      problem = continuity_text(end, list);
  }
  begin_.assign(list.begin(), list.end());
  end_ = {};
  known_ = true;
  for (const GtidEntry& entry : list) known_ = end_.set(entry) && known_;
  return problem;
}

void FileCrossing::on_group(const GtidEntry& gtid) {
  if (known_) known_ = end_.set(gtid);
}

void FileCrossing::take_file(std::span<const GtidEntry> list, const GtidHistory& end) {
  begin_.assign(list.begin(), list.end());
  end_ = end;
  known_ = true;
}

}  // namespace binlane
