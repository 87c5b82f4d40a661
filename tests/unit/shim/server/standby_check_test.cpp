// check_standby: what would prevent a standby from taking over is reported beforehand.
#include "shim/server/standby_check.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

StandbyFacts fit() {
  StandbyFacts facts;
  facts.account = "binlane@localhost";
  facts.privileges = {"REPLICATION SLAVE", "REPLICATION SLAVE ADMIN", "SLAVE MONITOR",
                      "READ_ONLY ADMIN", "RELOAD"};
  facts.read_only = facts.log_updates = facts.gtid_rule = true;
  facts.follows = {"127.0.0.1", "3401", "1", "Slave_Pos", "Yes", "Yes", ""};
  return facts;
}

SourceCheck check(const StandbyFacts& facts) {
  return check_standby(facts, "127.0.0.1:3401");
}

TEST(StandbyCheck, AFitOneHasNothingToBeSaid) {
  EXPECT_TRUE(check(fit()).refusals.empty());
  EXPECT_TRUE(check(fit()).warnings.empty());
  StandbyFacts root = fit();
  root.privileges = {"ALL PRIVILEGES"};
  EXPECT_TRUE(check(root).accepted());
}

TEST(StandbyCheck, EachMissingPrivilegeIsNamedWithTheGrant) {
  for (const char* const privilege :
       {"REPLICATION SLAVE ADMIN", "SLAVE MONITOR", "READ_ONLY ADMIN", "RELOAD"}) {
    const std::string name = privilege;
    StandbyFacts facts = fit();
    facts.privileges.erase(name);
    const SourceCheck found = check(facts);
    ASSERT_EQ(found.refusals.size(), 1U) << name;
    EXPECT_NE(to_string(found.refusals[0]).find("GRANT " + name + " ON *.* TO 'binlane'@"),
              std::string::npos)
        << to_string(found.refusals[0]);
  }
}

TEST(StandbyCheck, WhatHoldsAPromotionUpIsAWarning) {
  struct Case {
    const char* key;
    void (*spoil)(StandbyFacts&);
  };
  const Case cases[] = {
      {"read_only", [](StandbyFacts& f) { f.read_only = false; }},
      {"gtid_strict_mode", [](StandbyFacts& f) { f.gtid_rule = false; }},
      {"replication", [](StandbyFacts& f) { f.follows.reset(); }},
      {"Master_Host", [](StandbyFacts& f) { f.follows->host = "10.0.0.1"; }},
      {"Using_Gtid", [](StandbyFacts& f) { f.follows->by_gtid = "No"; }},
      {"Slave_SQL_Running", [](StandbyFacts& f) { f.follows->sql_running = "No"; }},
      {"Slave_IO_Running", [](StandbyFacts& f) { f.follows->io_running = "Connecting"; }},
      {"Connect_Retry", [](StandbyFacts& f) { f.follows->connect_retry = "60"; }},
      {"SHOW SLAVE STATUS", [](StandbyFacts& f) { f.unseen = "1227: Access denied"; }},
  };
  for (const Case& c : cases) {
    StandbyFacts facts = fit();
    c.spoil(facts);
    const SourceCheck found = check(facts);
    EXPECT_TRUE(found.accepted()) << c.key;
    ASSERT_EQ(found.warnings.size(), 1U) << c.key;
    EXPECT_EQ(found.warnings[0].key, c.key);
  }
  StandbyFacts facts = fit();
  facts.log_updates = false;
  EXPECT_EQ(check(facts).refusals.size(), 1U);
}

}  // namespace
}  // namespace binlane
