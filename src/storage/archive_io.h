// ArchiveIo: how the archive touches its files, so that tests can put faults between. Errors are
// errno values, 0 for none.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "storage/file_util.h"

namespace binlane {

class ArchiveIo {
 public:
  ArchiveIo() = default;
  ArchiveIo(const ArchiveIo&) = delete;
  ArchiveIo& operator=(const ArchiveIo&) = delete;
  virtual ~ArchiveIo() = default;

  // Opens for reading and writing, creates it (0640) when it is not there.
  virtual int open(const std::string& path, FileDescriptor& file);
  // `written`: bytes taken before an error.
  virtual int write(int descriptor, ConstBytes bytes, std::uint64_t offset, std::size_t& written);
  virtual int sync(int descriptor);
};

}  // namespace binlane
