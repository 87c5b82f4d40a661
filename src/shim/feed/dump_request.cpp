#include "shim/feed/dump_request.h"

#include "base/assert.h"

namespace binlane {

bool DumpRequest::holds(const GtidSet& groups) const {
  if (groups.mysql() != nullptr) return held && held->covers(*groups.mysql());
  return gtid && covers(gtid->start, *groups.mariadb());
}

void DumpRequest::has_got(const GtidSet& groups) {
  if (groups.mysql() != nullptr) {
    // What finds no room is sent once more, and the replica leaves it out.
    if (held) static_cast<void>(held->add(*groups.mysql()));
    return;
  }
  BL_ASSERT(gtid);
  for (const auto& [domain, entry] : groups.mariadb()->by_domain()) {
    const GtidEntry* const had = gtid->start.find(domain);
    if (had == nullptr || had->sequence < entry.sequence) gtid->start.set(entry);
  }
}

}  // namespace binlane
