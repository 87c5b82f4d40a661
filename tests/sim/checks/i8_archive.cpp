// I8: a replica's archive equals the source's binlog byte for byte, except for the IN_USE flag.

#include <fmt/format.h>

#include <algorithm>

#include "../violation.h"
#include "../world.h"
#include "base/stream_digest.h"
#include "checks.h"

namespace binlane::sim {

void Checks::check_archive(std::size_t replica) {
  const ReplicaHost& host = *world_.replicas()[replica];
  OfReplica& of = of_[replica];
  const Position end = host.archive_end();
  if (end <= of.compared || between_streams_ || host.stream().origin != origin_) return;
  if (!world_.source().begun()) return;  // its binlogs have gone
  if (of.compared.is_null()) of.compared = {host.stored_meta().archived.position.file, 0};
  if (of.compared.is_null()) {
    // The first file that the archive has.
    std::uint32_t first = end.file;
    while (first > 1 && host.files().data(host.archive_path(first - 1)) != nullptr) --first;
    of.compared = {first, 0};
  }
  while (of.compared < end) {
    const std::uint32_t number = of.compared.file;
    const auto* const archived = host.files().data(host.archive_path(number));
    // After a promotion the candidate's log decides, whatever the old source has done since. Peers
    // may hear that the seal is covered before the candidate notices.
    const bool promoted = sealed() && world_.sealer()->sealed().has(number) &&
                          (world_.sealer()->released() || world_.sealer_checks()->covered(end)) &&
                          host.stored_meta().promise.term >= world_.sealer()->term();
    const BinlogStore& truth = promoted ? world_.sealer()->sealed() : world_.binlogs();
    if (!truth.has(number))
      fail("I8", fmt::format("{} archived file {}, which never was", host.name(), number));
    const auto& data = truth.file(number).data;
    const std::uint64_t to = end.file > number ? data.size() : end.offset;
    if (to > data.size() || (to > 0 && (archived == nullptr || archived->size() < to)))
      fail("I8", fmt::format("{} archived {} up to {}, it has {} at the source", host.name(),
                             number, to, data.size()));
    for (std::uint64_t at = of.compared.offset; at < to; ++at) {
      const std::byte mask = at == kInUseOffset ? ~kInUseBit : std::byte{0xff};
      if (((*archived)[at] & mask) != (data[at] & mask))
        fail("I8", fmt::format("{} archived another byte at {}:{}", host.name(), number, at));
    }
    counts_.bytes += to - of.compared.offset;
    of.compared = end.file > number ? Position{number + 1, 0} : end;
  }
}

}  // namespace binlane::sim
