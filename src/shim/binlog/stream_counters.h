// What is counted while a lane reads the binlog: at its end (Tailer), and again for a replica that
// lacks older bytes (StreamReader).
#pragma once

#include <cstdint>

#include "base/shared_counter.h"
#include "shim/binlog/head_wait.h"

namespace binlane {

struct TailCounters {
  std::uint64_t bytes = 0;
  std::uint64_t reads = 0;  // that found bytes
  std::uint64_t files_ended = 0;
  std::uint64_t probes = 0;          // checks of a file and its successor
  std::uint64_t unproven_files = 0;  // no list that could be compared (S16)
  std::uint64_t heads_awaited = 0;   // looks at a next file that had no head yet
  HeadWait head_wait{};              // for the head of a next file, at this moment
};

// The same as the lane writes them; any thread reads them.
struct TailTally {
  SharedCounter bytes, reads, files_ended, probes, unproven_files, heads_awaited;
  SharedHeadWait head_wait;

  TailCounters snapshot() const noexcept {
    return {.bytes = bytes.get(),
            .reads = reads.get(),
            .files_ended = files_ended.get(),
            .probes = probes.get(),
            .unproven_files = unproven_files.get(),
            .heads_awaited = heads_awaited.get(),
            .head_wait = head_wait.get()};
  }
};

struct ReaderCounters {
  std::uint64_t window_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t files_opened = 0;
  std::uint64_t failures = 0;
};
// The same as the lane writes them; any thread reads them.
struct ReaderTally {
  SharedCounter window_bytes, file_bytes, files_opened, failures;

  ReaderCounters snapshot() const noexcept {
    return {.window_bytes = window_bytes.get(),
            .file_bytes = file_bytes.get(),
            .files_opened = files_opened.get(),
            .failures = failures.get()};
  }
};

// Both of one stream.
struct BinlogCounters {
  TailCounters tail;
  ReaderCounters reader;
};

}  // namespace binlane
