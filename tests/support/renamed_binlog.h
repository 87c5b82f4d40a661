// RenamedBinlog: the bytes of a binlog file that MariaDB 11.8 made of a large transaction's cache,
// as its reader sees them step by step.
//
// The head (magic number, format description, Gtid_list, Binlog_checkpoint, and a GTID event that
// zeros extend to the head's end) is written last, all at once. The events behind it come from the
// cache, where their end was not known: they say 0.
#pragma once

#include <cstdint>
#include <vector>

#include "binlog_writer.h"
#include "shim/binlog/file_head.h"

namespace binlane::test {

class RenamedBinlog {
 public:
  // Follows a file that ended with 0-7-`sequence - 1`, and holds transaction 0-7-`sequence`.
  explicit RenamedBinlog(std::uint64_t sequence, std::size_t rows_size = 100'000,
                         bool checksums = true)
      : writer_(checksums) {
    writer_.begin({{0, BinlogWriter::kServerId, sequence - 1}});
    writer_.gtid_up_to(sequence, kFileHeadSize);
    writer_.silent = true;
    writer_.rows(rows_size);
    writer_.silent = false;
    xid_at_ = writer_.size();
    writer_.xid();
  }

  // The cache's file under its new name: no head yet, and no Xid event.
  Bytes headless() const {
    Bytes bytes = headed();
    std::fill_n(bytes.begin(), kFileHeadSize, std::byte{0});
    return bytes;
  }
  Bytes head() const { return {whole().begin(), whole().begin() + kFileHeadSize}; }
  // With its head, but without the Xid event.
  Bytes headed() const {
    return {whole().begin(), whole().begin() + static_cast<std::ptrdiff_t>(xid_at_)};
  }
  const Bytes& whole() const { return writer_.bytes(); }

 private:
  BinlogWriter writer_;
  std::size_t xid_at_ = 0;
};

}  // namespace binlane::test
