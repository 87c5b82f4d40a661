// The dump connection where the kernel refuses what it needs; what it does at a server is the
// system tests'.
#include "shim/dump_stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "base/clock.h"
#include "scarcity.h"
#include "shim/dump_drain.h"
#include "temporary_directory.h"

namespace binlane {
namespace {

constexpr std::uint64_t kBoundNs = 20 * kNanosPerSecond;

TEST(DumpStream, WithoutADescriptorItCannotConnect) {
  std::unique_ptr<DumpStream> stream;
  {
    const NoDescriptors none;
    stream = std::make_unique<DumpStream>(ServerAccount{}, DumpStreamOptions{.server_id = 900});
  }
  stream->interrupt();
  const DumpError error = stream->connect();
  EXPECT_EQ(error.kind, DumpErrorKind::connection);
  EXPECT_NE(error.text.find("eventfd: Too many open files"), std::string::npos) << error.text;
}

TEST(DumpDrain, WithoutADescriptorItTriesAgain) {
  const TemporaryDirectory folder;
  DumpDrainOptions options;
  options.account.socket = folder.file("no-server");
  options.stream.server_id = 900;
  options.backoff_min_ms = options.backoff_max_ms = 1;
  DumpDrain drain(options, [](const ServerFacts&) { return std::nullopt; });
  const auto says = [&](const char* text) {
    const std::uint64_t end_ns = monotonic_ns() + kBoundNs;
    while (monotonic_ns() < end_ns) {
      if (drain.status().reason.find(text) != std::string::npos) return true;
      std::this_thread::yield();
    }
    return false;
  };
  {
    const NoDescriptors none;
    drain.start();
    EXPECT_TRUE(says("eventfd"));
    const std::uint64_t attempts = drain.status().attempts;
    while (drain.status().attempts < attempts + 2) std::this_thread::yield();
  }
  EXPECT_TRUE(says("no-server")) << drain.status().reason;
  drain.stop();
}

}  // namespace
}  // namespace binlane
