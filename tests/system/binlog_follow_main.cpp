// binlog_follow: follows a live server's binlog with the tailer and copies what the reader gives,
// to <copy folder>/<incarnation>/<file name>. One line on standard output for each event. When the
// tailer stops, a new incarnation begins as the control plane would begin one. Ends, with a line of
// counters, at the end of standard input.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/position.h"
#include "shim/binlog/binlog_files.h"
#include "shim/binlog/binlog_index.h"
#include "shim/binlog/stream_digester.h"
#include "shim/binlog/stream_reader.h"
#include "shim/binlog/tailer.h"

namespace {

using binlane::PosixBinlogFiles;

constexpr int kIdleTurnsPerLook = 200;
constexpr int kStartAttempts = 3000;
constexpr int kStartInterval_ms = 20;

const char* name_of(binlane::TailEvent event) {
  switch (event) {
    case binlane::TailEvent::none:
      return "none";
    case binlane::TailEvent::grew:
      return "grew";
    case binlane::TailEvent::file_ended:
      return "file_ended";
    case binlane::TailEvent::server_restarted:
      return "server_restarted";
    case binlane::TailEvent::shrunk:
      return "shrunk";
    case binlane::TailEvent::reset:
      return "reset";
    case binlane::TailEvent::gap:
      return "gap";
    case binlane::TailEvent::damaged:
      return "damaged";
    case binlane::TailEvent::error:
      return "error";
  }
  return "?";
}

// Waits so long for the end of standard input; true when it came.
bool input_ended(int timeout_ms) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return ::poll(&input, 1, timeout_ms) > 0;
}

class Copy {
 public:
  Copy(std::string folder, std::string basename)
      : folder_(std::move(folder)), basename_(std::move(basename)) {
    std::filesystem::create_directories(folder_);
  }
  ~Copy() { close(); }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;

  void write(binlane::Position at, binlane::ConstBytes bytes) {
    if (at.file != number_) {
      close();
      number_ = at.file;
      file_ =
          std::fopen((folder_ + "/" + binlane::binlog_file_name(basename_, number_)).c_str(), "wb");
    }
    if (file_ != nullptr) std::fwrite(bytes.data(), 1, bytes.size(), file_);
  }
  void flush() {
    if (file_ != nullptr) std::fflush(file_);
  }

 private:
  void close() {
    if (file_ != nullptr) std::fclose(file_);
    file_ = nullptr;
  }

  std::string folder_;
  std::string basename_;
  std::uint32_t number_ = 0;
  std::FILE* file_ = nullptr;
};

// Follows one incarnation. False when standard input ended.
bool follow(const binlane::BinlogIndex& index, const std::string& folder) {
  PosixBinlogFiles files(index.directory, index.basename);
  binlane::StreamStart start;
  const binlane::ScanResult scan = binlane::scan_stream(files, index.first, index.last, start);
  if (!scan.ok()) {
    std::printf("scan error=%d file=%u fault=%s\n", scan.error, scan.file, to_string(scan.fault));
    return !input_ended(kStartInterval_ms);
  }
  binlane::Tailer<PosixBinlogFiles> tailer(files);
  binlane::StreamReader<PosixBinlogFiles> reader(files, tailer);
  if (const int error = tailer.start(start, binlane::monotonic_ns())) {
    std::printf("start error=%d\n", error);
    return !input_ended(kStartInterval_ms);
  }
  std::printf("started %u %u\n", index.first, index.last);
  std::fflush(stdout);
  Copy copy(folder, index.basename);
  std::vector<std::byte> buffer(std::size_t{64} << 10);
  std::uint64_t linear = 0;
  int idle_turns = 0;
  bool ended = false;
  while (!ended) {
    const binlane::TailEvent event = tailer.poll(binlane::monotonic_ns());
    while (linear < tailer.written()) {
      binlane::StreamSlice slice;
      const int error = reader.read(linear, buffer, slice);
      if (error != 0) {
        std::printf("read error=%d linear=%llu\n", error, static_cast<unsigned long long>(linear));
        return false;
      }
      copy.write(slice.at, {buffer.data(), slice.byte_count()});
      linear += slice.length;
    }
    if (event == binlane::TailEvent::none) {
      if (++idle_turns % kIdleTurnsPerLook == 0) {
        copy.flush();
        ended = input_ended(1);
      }
      ::sched_yield();
      continue;
    }
    if (event != binlane::TailEvent::grew) {
      std::printf("%s %u error=%d fault=%s\n", name_of(event), tailer.map().current_file(),
                  tailer.error(), to_string(tailer.fault()));
      std::fflush(stdout);
    }
    if (binlane::stops_tailer(event)) return true;
  }
  copy.flush();
  const binlane::Position to = tailer.map().position_of(tailer.group_end()).value();
  const auto groups = binlane::count_groups(files, {tailer.map().first_file(), 0}, to);
  const auto digest =
      binlane::StreamDigester(files, tailer.map()).digest_range(0, tailer.written());
  const auto& counters = tailer.counters();
  std::printf("end files=%llu unproven=%llu groups=%lld unfinished=%llu digest=%d window=%llu\n",
              static_cast<unsigned long long>(counters.files_ended),
              static_cast<unsigned long long>(counters.unproven_files),
              groups ? static_cast<long long>(*groups) : -1LL,
              static_cast<unsigned long long>(tailer.tracker().unfinished_group_count()),
              digest ? 1 : 0, static_cast<unsigned long long>(reader.counters().window_bytes));
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: binlog_follow INDEX_FILE DATA_FOLDER COPY_FOLDER\n");
    return 2;
  }
  int incarnation = 0;
  const std::string index_path = argv[1];
  const std::string base =
      std::string(argv[2]) + "/" + std::filesystem::path(index_path).stem().string();
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    const binlane::BinlogIndex index = binlane::read_binlog_index(index_path, base);
    if (!index.error.empty()) {
      // The server may be about to write it anew.
      if (input_ended(kStartInterval_ms)) return 0;
      continue;
    }
    const std::string folder = std::string(argv[3]) + "/" + std::to_string(++incarnation);
    if (!follow(index, folder)) return 0;
  }
  return 1;
}
