// binlog_groups: prints where the event groups of binlog files end, one "<file number> <offset>" a
// line, as the group tracker sees them; the files are read as one stream in chunks of --chunk
// bytes. For the check of the tracker against the server's own tools.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "shim/binlog/group_tracker.h"

namespace {

constexpr std::size_t kLargestChunk = 1 << 20;

const char* name_of(binlane::FileEnding ending) {
  switch (ending) {
    case binlane::FileEnding::none:
      return "open";
    case binlane::FileEnding::rotate:
      return "rotate";
    case binlane::FileEnding::stop:
      return "stop";
  }
  return "?";
}

const char* name_of(binlane::Continuity continuity) {
  switch (continuity) {
    case binlane::Continuity::unknown:
      return "unknown";
    case binlane::Continuity::follows:
      return "follows";
    case binlane::Continuity::domains_deleted:
      return "domains_deleted";
    case binlane::Continuity::differs:
      return "differs";
  }
  return "?";
}

// Reads one file; prints each group's end as it is passed.
bool print_groups(const std::string& path, std::size_t chunk, binlane::GroupTracker& tracker) {
  std::FILE* const file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    std::perror(path.c_str());
    return false;
  }
  const std::uint32_t number = binlane::binlog_file_number(path);
  tracker.start_file(number);
  std::vector<std::byte> buffer(chunk);
  std::uint64_t offset = 0;
  std::uint64_t groups = tracker.group_count();
  std::size_t count = 0;
  while (!tracker.broken() && (count = std::fread(buffer.data(), 1, chunk, file)) > 0) {
    tracker.on_bytes(offset, {buffer.data(), count});
    offset += count;
    // Only single bytes show every group's end.
    if (tracker.group_count() != groups && chunk == 1)
      std::printf("%u %llu\n", number,
                  static_cast<unsigned long long>(tracker.last_group_end().offset));
    groups = tracker.group_count();
  }
  std::fclose(file);
  std::printf(
      "# %u end=%llu group_end=%llu groups=%llu unfinished=%llu ending=%s fault=%s gtids=%s\n",
      number, static_cast<unsigned long long>(tracker.end().offset),
      static_cast<unsigned long long>(tracker.last_group_end().offset),
      static_cast<unsigned long long>(tracker.group_count()),
      static_cast<unsigned long long>(tracker.unfinished_group_count()), name_of(tracker.ending()),
      binlane::to_string(tracker.fault()), name_of(tracker.continuity()));
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t chunk = 1;
  int first = 1;
  if (argc > 2 && std::string(argv[1]) == "--chunk") {
    chunk = std::strtoul(argv[2], nullptr, 10);
    first = 3;
  }
  if (first >= argc || chunk == 0 || chunk > kLargestChunk) {
    std::fprintf(stderr, "usage: binlog_groups [--chunk BYTES] FILE...\n");
    return 2;
  }
  binlane::GroupTracker tracker;
  for (int at = first; at < argc; ++at)
    if (!print_groups(argv[at], chunk, tracker)) return 1;
  return 0;
}
