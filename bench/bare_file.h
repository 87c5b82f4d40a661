// BareFile: a file such as the journal's, with nothing over it but a BareRing: written once when it
// is made, so that every later write overwrites, and opened with O_DIRECT.
#pragma once

#include <cstdint>
#include <string>

#include "bare_ring.h"
#include "storage/file_util.h"
#include "storage/journal/journal_file.h"

namespace binlane::bench {

class BareFile {
 public:
  // Throws StartupError.
  BareFile(const std::string& path, std::uint32_t blocks);

  BareRing& ring() noexcept { return ring_; }
  std::uint64_t size() noexcept { return image_.bytes().size(); }

 private:
  JournalImage image_;
  FileDescriptor file_;
  BareRing ring_;
};

}  // namespace binlane::bench
