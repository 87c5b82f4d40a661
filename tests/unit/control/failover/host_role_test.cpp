// The role in force and its record, and the order of the steps of a fence. [S18]
#include "control/failover/host_role.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/fallback/fencing.h"
#include "storage/durable_record.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

// A record in memory, whose disk may fail.
struct Disk {
  std::optional<std::vector<std::byte>> bytes;
  int error = 0;

  RoleMedium medium() {
    return {"role.state", [this] { return bytes; },
            [this](ConstBytes data) {
              if (error == 0) bytes.emplace(data.begin(), data.end());
              return error;
            }};
  }
};

// Notes what a source has to do when it is fenced, in the order of the calls.
struct Host {
  RoleFile& role;
  std::vector<std::string> calls;

  void call(const std::string& what) {
    calls.push_back(what + " as " + to_string(role.state().role) +
                    (role.on_record() ? "" : ", not on record"));
  }
  void ask_read_only() { call("read_only"); }
  void end_incarnation(const std::string& reason) { call("end: " + reason); }
  void record_fencing() { call("ledger"); }
};

TEST(Fencing, AFenceWithoutADiskStillFences) {
  Disk disk;
  RoleFile role(disk.medium(), HostRole::source);
  disk.error = EIO;
  Host host{role, {}};
  EXPECT_FALSE(fence_source(role, {3, "term 3 has begun elsewhere"}, host));
  EXPECT_EQ(host.calls,
            (std::vector<std::string>{"read_only as SOURCE",
                                      "end: term 3 has begun elsewhere as FENCED, not on record",
                                      "ledger as FENCED, not on record"}));
  EXPECT_EQ(role.state().role, HostRole::fenced);
  EXPECT_EQ(role.state().fenced_by, 3U);
  EXPECT_EQ(role.error(), EIO);
  EXPECT_EQ(role.put_on_record(), EIO);
  EXPECT_EQ(RoleFile(disk.medium(), HostRole::source).state().role, HostRole::source);
  disk.error = 0;
  EXPECT_EQ(role.put_on_record(), 0);
  EXPECT_TRUE(role.on_record());
  EXPECT_EQ(RoleFile(disk.medium(), HostRole::source).state().role, HostRole::fenced);
}

TEST(Fencing, WithADiskItIsOnRecordAtOnce) {
  Disk disk;
  RoleFile role(disk.medium(), HostRole::source);
  Host host{role, {}};
  EXPECT_TRUE(fence_source(role, {0, "an operator fenced it"}, host));
  EXPECT_EQ(host.calls.back(), "ledger as FENCED");
  EXPECT_EQ(RoleFile(disk.medium(), HostRole::source).state().fence_reason,
            "an operator fenced it");
}

// While the disk takes nothing, a fence that is not on record cannot be lifted either.
TEST(RoleFile, WhatIsHeldIsNotTakenBackWithoutARecord) {
  Disk disk;
  RoleFile role(disk.medium(), HostRole::source);
  const RoleState source = role.state();
  disk.error = ENOSPC;
  role.hold(fenced_role(source, {0, "x"}));
  EXPECT_EQ(role.store(source), ENOSPC);
  EXPECT_EQ(role.state().role, HostRole::fenced);
  EXPECT_FALSE(role.on_record());
  disk.error = 0;
  EXPECT_EQ(role.store(source), 0);
  EXPECT_EQ(role.state().role, HostRole::source);
  EXPECT_TRUE(role.on_record());
}

// Mutant: role_in_force_unstored.
TEST(RoleFile, WhatCouldNotBeStoredIsNotInForce) {
  Disk disk;
  RoleFile role(disk.medium(), HostRole::standby);
  const RoleState standby = role.state();
  RoleState source = standby;
  source.role = HostRole::source;
  disk.error = EIO;
  EXPECT_EQ(role.store(source), EIO);
  EXPECT_EQ(role.state(), standby);
  disk.error = 0;
  EXPECT_EQ(role.store(source), 0);
  EXPECT_EQ(role.state(), source);
}

// A record as an older binlaned wrote it, before cuts and rejoins were recorded.
TEST(RoleFile, APathThatIsNoUtf8CanBeStored) {
  Disk disk;
  RoleFile role(disk.medium(), HostRole::source);
  RoleState state = role.state();
  state.binlog_index = "/data/b\xffn.index";
  EXPECT_EQ(role.store(state), 0);
  EXPECT_EQ(RoleFile(disk.medium(), HostRole::standby).state().binlog_index,
            "/data/b\xef\xbf\xbdn.index");
}

// Of a set with thousands of intervals, the record keeps what it has room for.
TEST(RoleFile, ALargeSetOfGtidsIsShortened) {
  std::string large = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1";
  EXPECT_EQ(shown_gtids(large), large);
  for (int number = 3; number < 12'000; number += 2) large += ":" + std::to_string(number);
  large += ",\n4e11fa47-71ca-11e1-9e33-c80aa9429562:1";
  const std::string shown = shown_gtids(large);
  EXPECT_TRUE(shown.starts_with("3e11fa47-71ca-11e1-9e33-c80aa9429562:1:3:5:")) << shown;
  EXPECT_TRUE(shown.ends_with("… (" + std::to_string(large.size()) + " characters in all)"))
      << shown;
  Disk disk;
  RoleFile role(disk.medium(), HostRole::standby);
  RoleState state = role.state();
  state.promotion.gtid = large;
  EXPECT_EQ(role.store(state), E2BIG);
  state.promotion.gtid = shown;
  EXPECT_EQ(role.store(state), 0);
}

TEST(RoleFile, AnOlderRecordIsRead) {
  Disk disk;
  {
    RoleFile role(disk.medium(), HostRole::standby);
    RoleState state = role.state();
    state.cut = {{3, 400}, 5};
    state.rejoining = true;
    ASSERT_EQ(role.store(state), 0);
    EXPECT_EQ(RoleFile(disk.medium(), HostRole::source).state(), state);
  }
  auto value = nlohmann::json::parse(*disk.bytes);
  EXPECT_EQ(value.at("version"), 2);
  value["version"] = 1;
  for (const char* const key : {"cut_at", "cut_last", "rejoining"}) value.erase(key);
  const std::string text = value.dump();
  const auto bytes = std::as_bytes(std::span(text));
  disk.bytes.emplace(bytes.begin(), bytes.end());
  const RoleFile role(disk.medium(), HostRole::source);
  EXPECT_EQ(role.state().role, HostRole::standby);
  EXPECT_FALSE(role.state().cut.under_way());
  EXPECT_FALSE(role.state().rejoining);
}

TEST(RoleFile, AFileIsReadBack) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/role.state";
  Uuid id;
  {
    RoleFile role(path, HostRole::standby);
    id = role.state().host_id;
    role.hold(fenced_role(role.state(), {7, "term 7"}));
    EXPECT_EQ(role.put_on_record(), 0);
  }
  const RoleFile again(path, HostRole::source);
  EXPECT_EQ(again.state().host_id, id);
  EXPECT_EQ(again.state().fenced_by, 7U);
}

}  // namespace
}  // namespace binlane
