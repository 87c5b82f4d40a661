// Tests of the program `binlane` as a whole: exit codes and outputs, against a server of our own.
// The program's path comes in the environment variable BINLANE_PROGRAM.
#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "control/admin/admin_server.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

using nlohmann::json;

struct Outcome {
  int code = -1;
  std::string output;  // standard output and error
};

class Cli : public ::testing::Test {
 protected:
  Cli() : path_(directory_.file("admin.sock")), server_(path_) {
    server_.on("status", [this](const json&, const AdminPeer&) -> AdminReply {
      const std::lock_guard lock(mutex_);
      if (fails_) return AdminError{"verb", "not now"};
      return status_;
    });
    ::unsetenv(admin::kSocketEnvironment);
  }
  Outcome run(const std::string& arguments) {
    const char* const program = ::getenv("BINLANE_PROGRAM");
    if (program == nullptr) {
      ADD_FAILURE() << "BINLANE_PROGRAM is not set";
      return {};
    }
    FILE* const pipe = ::popen((std::string(program) + " " + arguments + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return {};
    Outcome outcome;
    char buffer[4096];
    for (std::size_t length; (length = ::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      outcome.output.append(buffer, length);
    const int status = ::pclose(pipe);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
  }
  TemporaryDirectory directory_;
  std::string path_;
  std::mutex mutex_;  // the server's thread answers with what the test changes
  json status_ = {{"name", "s"},
                  {"cluster", "demo"},
                  {"source", {{"state", "SEMISYNC"}}},
                  {"problems", json::array()}};
  bool fails_ = false;
  AdminServer server_;
};

TEST_F(Cli, StatusAsTextAndAsJson) {
  server_.start();
  const Outcome text = run("--socket " + path_ + " status");
  EXPECT_EQ(text.code, 0);
  EXPECT_NE(text.output.find("SEMISYNC"), std::string::npos) << text.output;
  const Outcome as_json = run("status --json --socket " + path_);
  EXPECT_EQ(as_json.code, 0);
  EXPECT_EQ(json::parse(as_json.output, nullptr, false), status_) << as_json.output;
}

TEST_F(Cli, TheSocketComesFromTheEnvironmentToo) {
  server_.start();
  ::setenv(admin::kSocketEnvironment, path_.c_str(), 1);
  EXPECT_EQ(run("status").code, 0);
  EXPECT_EQ(run("ping").code, 0);
  EXPECT_EQ(run("--socket /nonexistent/admin.sock status").code, 3);  // the option wins
  ::unsetenv(admin::kSocketEnvironment);
}

TEST_F(Cli, CheckTellsByItsExitCode) {
  server_.start();
  EXPECT_EQ(run("--socket " + path_ + " status --check").code, 0);
  {
    const std::lock_guard lock(mutex_);
    status_["problems"].push_back(
        {{"code", "not_semisync"}, {"severity", "fault"}, {"text", "the source is ASYNC"}});
  }
  const Outcome outcome = run("--socket " + path_ + " status --check --json");
  EXPECT_EQ(outcome.code, 4);
  EXPECT_NE(outcome.output.find("the source is ASYNC"), std::string::npos);
  EXPECT_EQ(run("--socket " + path_ + " status").code, 0);
}

TEST_F(Cli, ADaemonsErrorIsOne) {
  fails_ = true;
  server_.start();
  const Outcome outcome = run("--socket " + path_ + " status");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.output, "binlane: verb: not now\n");
}

TEST_F(Cli, WrongUsageIsTwoAndADaemonThatIsAwayIsThree) {
  EXPECT_EQ(run("").code, 2);
  EXPECT_EQ(run("status").code, 3);  // no daemon is at the default socket
  EXPECT_EQ(run("status --no-such-option").code, 2);
  EXPECT_EQ(run("--timeout-ms 0 status").code, 2);
  const Outcome mistyped = run("--socket x statsu");
  EXPECT_EQ(mistyped.code, 2);
  EXPECT_NE(mistyped.output.find("did you mean 'status'?"), std::string::npos) << mistyped.output;
  EXPECT_EQ(run("no-such-verb").code, 2);
  const Outcome away = run("--socket " + path_ + " status");
  EXPECT_EQ(away.code, 3);
  EXPECT_NE(away.output.find("cannot connect"), std::string::npos);
  EXPECT_NE(away.output.find("systemctl status binlaned"), std::string::npos);
}

TEST_F(Cli, AnErrorNamesItsFieldOnce) {
  server_.on("set", [](const json&, const AdminPeer&) -> AdminReply {
    return AdminError{"source.quorum", "source.quorum: 'dbx' is not a configured replica"};
  });
  server_.start();
  const Outcome outcome = run("--socket " + path_ + " set quorum 'ANY 1 (dbx)'");
  EXPECT_EQ(outcome.output, "binlane: source.quorum: 'dbx' is not a configured replica\n");
}

// Nothing printed would read as: nothing was released.
TEST_F(Cli, AnIntervalThatIsNotThereIsNoEmptyExport) {
  server_.on("ledger", [](const json&, const AdminPeer&) -> AdminReply {
    return json{{"intervals", json::array({{{"id", 1}}})}};
  });
  server_.on("ledger_groups", [](const json&, const AdminPeer&) -> AdminReply {
    return json{{"id", 1}, {"transactions", json::array({{{"gtid", "0-1-7"}, {"end", "b:9"}}})}};
  });
  server_.start();
  EXPECT_EQ(run("--socket " + path_ + " ledger export 1").output, "1\t0-1-7\tb:9\n");
  EXPECT_EQ(run("--socket " + path_ + " ledger export").code, 0);
  const Outcome none = run("--socket " + path_ + " ledger export 3");
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.output.find("there is no interval 3"), std::string::npos) << none.output;
}

TEST_F(Cli, AHostWithoutAPromotionHasNoTermToShow) {
  server_.on("promotion", [](const json&, const AdminPeer&) -> AdminReply {
    return json{{"role", "SOURCE"}, {"term", 0}, {"step", "NONE"}, {"running", false}};
  });
  server_.start();
  const Outcome outcome = run("--socket " + path_ + " promotion");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.output, "role SOURCE; no promotion of this host is on record\n");
}

TEST_F(Cli, TheInstalledConfigurationIsLookedAtWhereNoneIsNamed) {
  for (const char* const verb : {"doctor --help", "term --help", "config --help"}) {
    const Outcome outcome = run(verb);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_NE(outcome.output.find("/etc/binlane/binlaned.toml"), std::string::npos) << verb;
  }
  EXPECT_NE(run("doctor").code, 2);
  EXPECT_NE(run("config check").code, 2);
}

// Its own replicas and rule are not in use: "away" and "not connected" would look like faults.
TEST_F(Cli, AStandbyIsNoSourceWithoutReplicas) {
  status_["source"] = {{"state", "STANDBY"},
                       {"rule", "ANY 1 (a, c)"},
                       {"replicas", json::array({{{"name", "a"}, {"connected", false}}})},
                       {"server", {{"status_values", json::object()}}}};
  status_["replica"] = {{"source", "a"}};
  server_.start();
  for (const char* const verb : {"quorum", "replicas", "status --mysql"}) {
    const Outcome outcome = run("--socket " + path_ + " " + verb);
    EXPECT_EQ(outcome.code, 0) << verb;
    EXPECT_NE(outcome.output.find("this host is a standby: ask the source (a)"), std::string::npos)
        << verb << ": " << outcome.output;
    EXPECT_EQ(outcome.output.find("away"), std::string::npos) << outcome.output;
    EXPECT_EQ(outcome.output.find("not connected"), std::string::npos) << outcome.output;
  }
}

TEST_F(Cli, WhatADaemonRefusesToAHostsRoleIsFive) {
  for (const char* const verb : {"promote", "rejoin", "fence", "unfence"}) {
    server_.on(verb, [](const json&, const AdminPeer&) -> AdminReply {
      return AdminError{"", "this host has no [source] section"};
    });
  }
  server_.start();
  for (const char* const verb :
       {"promote b", "rejoin --cut", "fence b --reason x", "fence b --lift"}) {
    const Outcome outcome = run("--socket " + path_ + " " + verb);
    EXPECT_EQ(outcome.code, 5) << verb << ": " << outcome.output;
  }
}

TEST_F(Cli, AMissingArgumentIsExplained) {
  const Outcome promote = run("promote");
  EXPECT_EQ(promote.code, 2);
  EXPECT_NE(promote.output.find("promote needs host: the name of this daemon's host"),
            std::string::npos)
      << promote.output;
  const Outcome verdict = run("verdict");
  EXPECT_EQ(verdict.code, 2);
  EXPECT_NE(verdict.output.find("verdict needs transaction: its GTID"), std::string::npos)
      << verdict.output;
}

// Otherwise the doctor of another host would look like this one's.
TEST_F(Cli, VerbsThatReadAFileSayThatASocketNamesNone) {
  for (const auto& [verb, option] : {std::pair{"doctor", "--config FILE"},
                                     {"term show", "--config FILE"},
                                     {"config check", "config check FILE"}}) {
    const Outcome outcome = run("--socket " + path_ + " " + verb);
    EXPECT_NE(outcome.output.find(option), std::string::npos) << verb << ": " << outcome.output;
  }
}

TEST_F(Cli, ADoctorWithoutAConfigurationFindsAFault) {
  const Outcome outcome = run("doctor --config " + directory_.file("none.toml"));
  EXPECT_EQ(outcome.code, 13) << outcome.output;
  EXPECT_NE(outcome.output.find("fault    config"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("cannot open"), std::string::npos) << outcome.output;
}

TEST_F(Cli, HelpNamesVerbsAndExitCodes) {
  const Outcome outcome = run("--help");
  EXPECT_EQ(outcome.code, 0);
  for (const char* word : {"status", "--socket", "Exit codes", "BINLANE_SOCKET", "Examples"})
    EXPECT_NE(outcome.output.find(word), std::string::npos) << word;
  EXPECT_EQ(run("--version").code, 0);
}

}  // namespace
}  // namespace binlane
