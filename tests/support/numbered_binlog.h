// numbered_binlog(): the bytes of a binlog file whose groups bear numbers in a row.
#pragma once

#include <cstdint>

#include "base/position.h"
#include "binlog_writer.h"

namespace binlane::test {

// Of a server that has written `groups` groups into it, the first with number `first`, and has then
// gone on in file `rotated_to` if that is not 0.
inline Bytes numbered_binlog(std::uint64_t first, int groups, std::uint32_t created_s = 0,
                             std::uint32_t rotated_to = 0) {
  BinlogWriter writer;
  writer.magic();
  writer.format(created_s);
  writer.gtid_list({{0, BinlogWriter::kServerId, first - 1}});
  for (int i = 0; i < groups; ++i) {
    writer.gtid(first + static_cast<std::uint64_t>(i));
    writer.rows(200);
    writer.xid();
  }
  if (rotated_to != 0) writer.rotate(binlog_file_name("binlog", rotated_to));
  return writer.bytes();
}

}  // namespace binlane::test
