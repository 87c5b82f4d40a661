// vhost-user links between this process and port_peer processes that are killed: without root, NIC
// or hugepages. Everything is bounded in time; nothing depends on how fast it is.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/port/dpdk_port.h"
#include "dataplane/port/port_attacher.h"
#include "dpdk_test_support.h"

namespace binlane {
namespace {

std::size_t vhost_event_threads() {
  std::size_t count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream comm(task.path() / "comm");
    std::string name;
    std::getline(comm, name);
    if (name == "vhost-events") ++count;
  }
  return count;
}

// The first test of this file: the library starts its thread with the process's first vhost port.
TEST(VhostUser, PortsThatComeUpAtOnceShareOneEventThread) {
  ASSERT_EQ(vhost_event_threads(), 0U);
  constexpr int kPorts = 6;
  std::vector<std::unique_ptr<DpdkPort>> ports;
  std::vector<std::unique_ptr<PortAttacher>> attachers;
  for (int i = 0; i < kPorts; ++i) {
    const std::string spec = "vhost:" + folder + "/at_once_" + std::to_string(i) + ".sock";
    ports.push_back(std::make_unique<DpdkPort>(config_for(spec, kLocal, PortSide::source)));
  }
  for (const auto& port : ports) attachers.push_back(std::make_unique<PortAttacher>(*port));
  for (const auto& port : ports) ASSERT_TRUE(wait_for([&] { return port->attached(); }));
  EXPECT_EQ(vhost_event_threads(), 1U);
}

TEST(VhostUser, CarriesDatagramsToAReplicaAndSurvivesItsKills) {
  const std::string spec = "vhost:" + folder + "/source_test.sock";
  DpdkPort port(config_for(spec, kLocal, PortSide::source));
  PortAttacher attacher(port);  // before its peer exists
  ASSERT_TRUE(wait_for([&] { return port.attached(); })) << attacher.status().last_error;
  EXPECT_FALSE(port.link_up());
  Pinger pinger(port);
  std::uint32_t settled = 0;
  for (int round = 0; round < 4; ++round) {
    Peer peer(spec, PortSide::replica);
    ASSERT_TRUE(pinger.echo(1, 64)) << peer.log();
    ASSERT_TRUE(pinger.echo(300, 8));
    ASSERT_TRUE(pinger.echo(300, port.max_payload()));
    // Killed with frames in flight.
    for (int burst = 0; burst < 64; ++burst) pinger.send(1000);
    port.flush();
    peer.kill();
    if (round == 0) settled = port.mbufs_in_use();
  }
  ASSERT_TRUE(wait_for([&] {
    port.flush();
    pinger.take();
    return !port.link_up();
  }));
  EXPECT_GE(port.counters().link_downs, 4U);  // the driver also says so while it sets up
  EXPECT_EQ(pinger.damaged, 0U);
  EXPECT_EQ(port.counters().rx_foreign, 0U);
  EXPECT_LE(port.mbufs_in_use(), settled + kMaxLeftover);
}

TEST(VhostUser, CarriesDatagramsToASourceAndSurvivesItsKills) {
  const std::string spec = "vhost:" + folder + "/replica_test.sock";
  DpdkPort port(config_for(spec, kLocal, PortSide::replica));
  PortAttacher attacher(port);
  Pinger pinger(port);
  std::uint32_t in_use = 0;
  for (int round = 0; round < 4; ++round) {
    Peer peer(spec, PortSide::source);
    ASSERT_TRUE(pinger.echo(1, 64)) << peer.log() << attacher.status().last_error;
    ASSERT_TRUE(pinger.echo(300, 8));
    ASSERT_TRUE(pinger.echo(300, port.max_payload()));
    if (round == 0) in_use = port.mbufs_in_use();
    for (int burst = 0; burst < 64; ++burst) pinger.send(1000);
    port.flush();
    peer.signal();
    ASSERT_TRUE(wait_for([&] {
      port.flush();
      pinger.take();
      return !port.link_up();
    }));
  }
  EXPECT_EQ(port.counters().link_downs, 4U);
  EXPECT_EQ(port.counters().quiesce_timeouts, 0U);
  EXPECT_EQ(pinger.damaged, 0U);
  EXPECT_EQ(port.counters().rx_foreign, 0U);
  // The rings' own mbufs come back at every reset: a leak would add a ring of them each round.
  EXPECT_LE(port.mbufs_in_use(), in_use + kMaxLeftover);
}

TEST(VhostUser, TakesOverTheStaleSocketOfAKilledServer) {
  const std::string path = folder + "/stale.sock";
  {
    Peer killed("vhost:" + path, PortSide::replica);
    ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(path); })) << killed.log();
  }
  ASSERT_TRUE(std::filesystem::exists(path));
  DpdkPort port(config_for("vhost:" + path, kLocal, PortSide::replica));
  PortAttacher attacher(port);
  Peer peer("vhost:" + path, PortSide::source);
  Pinger pinger(port);
  EXPECT_TRUE(pinger.echo(10, 100)) << peer.log() << attacher.status().last_error;
}

// A process that may put a socket there, or connect to ours, shares all of DPDK's memory.
TEST(VhostUser, AFolderThatOthersMayWriteToIsRefused) {
  const std::string open_folder = folder + "/open";
  std::filesystem::create_directory(open_folder);
  ASSERT_EQ(::chmod(open_folder.c_str(), 0777), 0);
  for (const PortSide side : {PortSide::replica, PortSide::source}) {
    DpdkPort port(config_for("vhost:" + open_folder + "/x.sock", kLocal, side));
    PortAttacher attacher(port);
    ASSERT_TRUE(wait_for([&] { return attacher.status().failures > 0; }));
    EXPECT_NE(attacher.status().last_error.find("chmod go-w"), std::string::npos)
        << attacher.status().last_error;
    EXPECT_FALSE(port.attached());
    EXPECT_FALSE(std::filesystem::exists(open_folder + "/x.sock"));
  }
}

TEST(VhostUser, ItsSocketIsForItsOwnUserAlone) {
  const mode_t before = ::umask(0002);  // as a login shell sets it
  const std::string path = folder + "/private.sock";
  DpdkPort port(config_for("vhost:" + path, kLocal, PortSide::replica));
  PortAttacher attacher(port);
  ASSERT_TRUE(wait_for([&] { return std::filesystem::exists(path); }))
      << attacher.status().last_error;
  struct stat info {};
  ASSERT_EQ(::lstat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0077U, 0U) << std::oct << info.st_mode;
  // Files that other threads make are as they were.
  const mode_t kept = ::umask(before);
  EXPECT_EQ(kept, 0002U);
}

TEST(VhostUser, OneBlockedServerHoldsUpNoOtherPort) {
  DpdkPort waiting(config_for("vhost:" + folder + "/nobody.sock", kLocal, PortSide::replica));
  PortAttacher blocked(waiting);
  DpdkPort also_waiting(config_for("vhost:" + folder + "/no_one.sock", kLocal, PortSide::replica));
  PortAttacher also_blocked(also_waiting);
  DpdkPort port(config_for("vhost:" + folder + "/free.sock", kLocal, PortSide::source));
  PortAttacher attacher(port);
  EXPECT_TRUE(wait_for([&] { return port.attached(); }));
  EXPECT_TRUE(wait_for([&] {
    return std::filesystem::exists(folder + "/nobody.sock") &&
           std::filesystem::exists(folder + "/no_one.sock");
  }));
  EXPECT_FALSE(waiting.attached());
}

TEST(VhostUser, CarriesJumboFrames) {
  const std::string spec = "vhost:" + folder + "/jumbo.sock";
  constexpr std::uint32_t kJumbo = 9000;
  DpdkPort port(config_for(spec, kLocal, PortSide::source, kJumbo));
  PortAttacher attacher(port);
  Peer peer(spec, PortSide::replica, kJumbo);
  Pinger pinger(port);
  ASSERT_TRUE(pinger.echo(1, 64)) << peer.log() << attacher.status().last_error;
  EXPECT_EQ(port.max_payload(), kJumbo - 28);
  EXPECT_TRUE(pinger.echo(200, port.max_payload())) << peer.log();
  EXPECT_EQ(pinger.damaged, 0U);
}

}  // namespace
}  // namespace binlane
