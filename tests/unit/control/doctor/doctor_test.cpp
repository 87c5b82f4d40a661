// What `binlane doctor` concludes from what it is given; the system tests cover what it asks.
#include "control/doctor/checkup.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temporary_directory.h"

namespace binlane {
namespace {

const ServerWords& kWords = words_of(ServerFlavour::mariadb);

TEST(CheckAckers, OurOwnClientAloneIsNobodyElse) {
  EXPECT_TRUE(check_ackers(kWords, 0, {}, false).empty());
  EXPECT_TRUE(check_ackers(kWords, 1, {}, true).empty());
  // Registered replicas that are no semi-sync clients acknowledge nothing.
  EXPECT_TRUE(check_ackers(kWords, 1, {7, 8}, true).empty());
  EXPECT_TRUE(check_ackers(kWords, 0, {}, true).empty()) << "it may be connecting";
}

TEST(CheckAckers, OthersAreAFaultWithTheirServerIds) {
  const Findings one = check_ackers(kWords, 2, {7}, true);
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].severity, CheckSeverity::fault);
  EXPECT_NE(one[0].found.find("1 semi-sync client besides"), std::string::npos) << one[0].found;
  EXPECT_NE(one[0].found.find("server_id 7"), std::string::npos) << one[0].found;
  EXPECT_NE(one[0].remedy.find("rpl_semi_sync_slave_enabled=OFF"), std::string::npos);
  const Findings two = check_ackers(kWords, 3, {7, 8}, true);
  ASSERT_EQ(two.size(), 1u);
  EXPECT_NE(two[0].found.find("2 semi-sync clients besides"), std::string::npos) << two[0].found;
  EXPECT_NE(two[0].found.find("server_id 7, 8"), std::string::npos) << two[0].found;
}

TEST(CheckAckers, WithoutOurConnectionEveryClientIsSomebodyElse) {
  const Findings found = check_ackers(kWords, 1, {}, false);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].found.find("server_id"), std::string::npos) << found[0].found;
}

TEST(CheckSetAside, NamesWhatARejoinHasLeftBesideTheBinlogs) {
  const TemporaryDirectory folder;
  const auto write = [&](const char* name, std::size_t size) {
    std::ofstream(folder.file(name)) << std::string(size, 'x');
  };
  write("binlog.000001", 10);
  write("binlog.index", 10);
  write("other.000002.cut", 10);
  EXPECT_TRUE(check_set_aside(folder.file("binlog")).empty());
  write("binlog.000002.cut", 3U << 20);
  write("binlog.000003.cut", 1U << 20);
  const Findings found = check_set_aside(folder.file("binlog"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].severity, CheckSeverity::warning);
  EXPECT_NE(found[0].found.find("2 binlogs"), std::string::npos) << found[0].found;
  EXPECT_NE(found[0].found.find("4 MiB"), std::string::npos) << found[0].found;
  EXPECT_TRUE(check_set_aside("/nowhere/binlog").empty());
}

TEST(CheckRole, ACutThatIsNotFinishedIsAFault) {
  RoleState state;
  EXPECT_TRUE(check_role(state).empty());
  state.cut = {{3, 988}, 4};
  const Findings found = check_role(state);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].severity, CheckSeverity::fault);
  EXPECT_NE(found[0].found.find("at 3:988 is not finished"), std::string::npos) << found[0].found;
  EXPECT_NE(found[0].remedy.find("keep the server stopped"), std::string::npos);
}

TEST(CheckRole, ARejoinThatIsNotDoneIsAWarning) {
  RoleState state;
  state.role = HostRole::standby;
  state.rejoining = true;
  const Findings found = check_role(state);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].severity, CheckSeverity::warning);
  state.role = HostRole::source;  // it was promoted meanwhile
  EXPECT_TRUE(check_role(state).empty());
}

// Its recovery would commit what `binlane rejoin --cut` can still take back.
TEST(CheckServer, NobodyIsToldToStartTheServerOfAFencedHost) {
  SourceConfig source;
  source.server_socket = "/run/mysqld/mysqld.sock";
  const HealthFinding fenced = unreachable_server(source, "2002: no socket", true);
  EXPECT_NE(fenced.remedy.find("do not start its server"), std::string::npos);
  EXPECT_NE(fenced.remedy.find("binlane rejoin first"), std::string::npos);
  const HealthFinding other = unreachable_server(source, "2002: no socket", false);
  EXPECT_EQ(other.remedy, "start the server, or repair the account");
  EXPECT_NE(other.found.find("2002: no socket"), std::string::npos);
}

TEST(CheckDaemon, WhatItReportsIsNeverBetterThanItsStatus) {
  const auto status = nlohmann::json::parse(R"({"problems": [
    {"code": "cannot_take_over", "severity": "fault", "text": "a promotion would be refused"},
    {"code": "not_following", "severity": "warning", "text": "its server does not follow"}]})");
  const Findings found = check_daemon(status);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].severity, CheckSeverity::fault);
  EXPECT_EQ(found[0].found, "a promotion would be refused");
  EXPECT_NE(found[0].remedy.find("cannot_take_over"), std::string::npos);
  EXPECT_EQ(found[1].severity, CheckSeverity::warning);
  const Findings none = check_daemon(nlohmann::json::parse(R"({"problems": []})"));
  ASSERT_EQ(none.size(), 1u);
  EXPECT_EQ(none[0].severity, CheckSeverity::fine);
}

}  // namespace
}  // namespace binlane
