#include "lanes/bench_stream.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <vector>

#include "base/error.h"

namespace binlane::bench {

BenchStream::BenchStream(const std::string& folder)
    : file_(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
  constexpr std::size_t kChunk = 1U << 20;
  static_assert(kFileBytes % kChunk == 0);
  if (file_.get() < 0)
    throw StartupError(fmt::format("cannot make a file in {}: {}", folder, errno_text(errno)));
  std::vector<std::byte> chunk(kChunk);
  for (std::size_t i = 0; i < kChunk; ++i) chunk[i] = static_cast<std::byte>(i * 31 + i / 256);
  for (std::uint64_t at = 0; at < kFileBytes; at += kChunk) {
    if (::pwrite(file_.get(), chunk.data(), kChunk, static_cast<off_t>(at)) !=
        static_cast<ssize_t>(kChunk))
      throw StartupError(fmt::format("cannot fill a file in {}: {}", folder, errno_text(errno)));
  }
}

}  // namespace binlane::bench
