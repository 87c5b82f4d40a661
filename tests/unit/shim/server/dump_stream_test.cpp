// The dump connection when the kernel refuses what it needs; the system tests cover what it does at
// a server.
#include "shim/server/dump_stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "base/bytes.h"
#include "base/clock.h"
#include "shim/server/dump_drain.h"
#include "support/scarcity.h"
#include "support/temporary_directory.h"

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

TEST(DumpStream, ANamesakeIsKnownByCodeOrByMysqlsText) {
  const char* const mysql =
      "A replica with the same server_uuid/server_id as this replica has connected to the source; "
      "the first event 'binlog.000001' at 4";
  const auto error = [](std::uint32_t code, const char* text) {
    return DumpError{DumpErrorKind::server_error, code, text};
  };
  EXPECT_TRUE(is_namesake(error(4052, "A slave with the same server_uuid/server_id")));
  EXPECT_TRUE(is_namesake(error(1236, mysql)));
  EXPECT_FALSE(is_namesake(error(1236,
                                 "Client requested source to start replication from "
                                 "position > file size")));
  EXPECT_FALSE(is_namesake(DumpError{DumpErrorKind::closed, 0, mysql}));
}

TEST(DumpStream, AnOffsetBeyond32BitsHasACommandOfItsOwn) {
  constexpr std::uint64_t kOffset = (std::uint64_t{5} << 32) + 7;
  const std::vector<std::byte> command = dump_gtid_command(900, "binlog.000012", kOffset);
  // command, flags, server id, length of the name, name, offset, length of the set, set
  ASSERT_EQ(command.size(), 1U + 2 + 4 + 4 + 13 + 8 + 4 + 8);
  EXPECT_EQ(command[0], std::byte{0x1e});
  EXPECT_EQ(load_le<std::uint32_t>(command.data() + 3), 900U);
  EXPECT_EQ(load_le<std::uint32_t>(command.data() + 7), 13U);
  EXPECT_EQ(load_le<std::uint64_t>(command.data() + 24), kOffset);
  EXPECT_EQ(load_le<std::uint32_t>(command.data() + 32), 8U);
  EXPECT_EQ(load_le<std::uint64_t>(command.data() + 36), 0U) << "no transaction is left out";
  EXPECT_EQ(dump_command(900, "binlog.000012", 4).size(), 1U + 4 + 2 + 4 + 13);
}

TEST(DumpDrain, WithoutADescriptorItTriesAgain) {
  const TemporaryDirectory folder;
  DumpDrainOptions options;
  options.account.socket = folder.file("no-server");
  options.stream.server_id = 900;
  options.backoff_min_ms = options.backoff_max_ms = 1;
  DumpDrain drain(options, [](const ServerRun&) { return std::nullopt; });
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
