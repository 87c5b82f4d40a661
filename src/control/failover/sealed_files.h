// SealedFiles: a complete copy of a stream, up to where one host holds it, in files of its own. A
// promotion serves it to the peers, and a donor to a joiner.
#pragma once

#include <cstdint>
#include <string>

#include "base/position.h"
#include "base/status.h"
#include "storage/archive/archive_io.h"
#include "storage/journal/journal.h"
#include "storage/journal/journal_meta.h"

namespace binlane {

struct SealedFiles {
  std::string directory;
  std::string basename;
  std::uint32_t first = 0;  // number of the first file
  Position end;
  Position whole_groups;  // the end of the last whole event group

  std::string path(std::uint32_t number) const {
    return directory + "/" + binlog_file_name(basename, number);
  }
};

// Writes the whole stream of a journal, from the archive and the journal, to `directory`, which is
// created anew. The lane must be quiesced. `archive` is the folder of the archive's files. The
// files are durable if the result is ok. Does not set `whole_groups`.
Result<SealedFiles> export_stream(Journal& journal, const JournalMeta& meta,
                                  const std::string& archive, const std::string& directory,
                                  ArchiveIo& io);

// Shortens a complete copy to `end`, durably.
Status truncate_sealed(SealedFiles& files, Position end, ArchiveIo& io);

}  // namespace binlane
