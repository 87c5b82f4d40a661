// Tests of the configuration: reading, its errors, printing, passwords.
#include "control/config/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "control/config/config_change.h"
#include "control/config/config_keys.h"
#include "control/config/config_value.h"
#include "control/config/peer_config.h"
#include "control/config/suggest.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

constexpr const char* kTop = "name = \"s\"\ncluster = \"demo\"\ndata_dir = \"/d\"\n";
constexpr const char* kSource =
    "[source]\n"
    "server_socket = \"/run/server.sock\"\n"
    "acker_server_id = 900\n"
    "quorum = \"ANY 1 (r1, r2)\"\n";
constexpr const char* kReplicas =
    "[[source.replica]]\n"
    "name = \"r1\"\n"
    "port = \"vhost:/run/r1.sock\"\n"
    "local_address = \"198.18.0.1:7100\"\n"
    "address = \"198.18.0.2:7100\"\n"
    "[[source.replica]]\n"
    "name = \"r2\"\n"
    "port = \"vhost:/run/r2.sock\"\n"
    "local_address = \"198.18.0.1:7100\"\n"
    "address = \"198.18.0.3:7100\"\n";
constexpr const char* kReplica =
    "[replica]\n"
    "port = \"udp\"\n"
    "address = \"127.0.0.1:7100\"\n"
    "sources = [\"127.0.0.1:7200\"]\n"
    "feed_server_id = 7\n"
    "feed_password = \"hush\"\n";

std::string source_text(const std::string& extra = "") {
  return std::string(kTop) + kSource + extra + kReplicas;
}

// The text of the error that a configuration gives; empty when there is none.
std::string error_of(const std::string& text) {
  try {
    parse_config(text, "c.toml");
  } catch (const StartupError& error) {
    return error.what();
  }
  return {};
}

void expect_error(const std::string& text, const std::string& part) {
  const std::string error = error_of(text);
  EXPECT_NE(error.find(part), std::string::npos) << "got: " << error;
}

TEST(Config, ReadsASource) {
  const Config config =
      parse_config(source_text("timeout_ms = 1000\nwait_point = \"AFTER_COMMIT\"\n"), "c.toml");
  EXPECT_EQ(config.name, "s");
  EXPECT_EQ(config.admin_socket, "/d/admin.sock");
  EXPECT_FALSE(config.replica);
  ASSERT_TRUE(config.source);
  const SourceConfig& source = *config.source;
  EXPECT_EQ(source.timeout_ms, 1000U);
  EXPECT_EQ(source.effective_server_timeout_ms(), 6000U);
  EXPECT_EQ(source.wait_point, WaitPoint::after_commit);
  EXPECT_EQ(source.server_user, "binlane");
  ASSERT_EQ(source.replicas.size(), 2U);
  EXPECT_EQ(source.replicas[1].port.kind, PortKind::vhost);
  EXPECT_EQ(source.replicas[1].port.argument, "/run/r2.sock");
  EXPECT_EQ(source.replicas[1].address, (Endpoint{0xc6120003, 7100}));
  EXPECT_EQ(source.quorum.clauses[0].members, 0b11U);
  EXPECT_EQ(source.quorum.clauses[0].count, 1U);
  EXPECT_TRUE(config.warnings.empty());
}

TEST(Config, ReadsAReplicaWithDefaults) {
  const Config config = parse_config(std::string(kTop) + kReplica, "c.toml");
  ASSERT_TRUE(config.replica);
  EXPECT_EQ(config.replica->journal, "/d/journal");
  EXPECT_EQ(config.replica->archive, "/d/archive");
  EXPECT_EQ(config.replica->journal_size_mb, 64U);
  EXPECT_EQ(endpoint_text(config.replica->feed_listen), "127.0.0.1:3401");
  EXPECT_EQ(config.replica->feed_password.reveal(), "hush");
  EXPECT_EQ(config.lane.idle, IdleMode::automatic);
  EXPECT_EQ(config.eal.arguments, (std::vector<std::string>{"--no-huge", "-m", "64"}));
}

TEST(Config, BothRolesAtOnce) {
  const Config config = parse_config(source_text() + kReplica, "c.toml");
  EXPECT_TRUE(config.source && config.replica);
}

TEST(Config, UnknownKeysAreErrorsWithASuggestion) {
  expect_error(source_text("timeout = 5\n"), "source.timeout: unknown key");
  expect_error(source_text("timeuot_ms = 5\n"),
               "c.toml:8: source.timeuot_ms: unknown key; did you mean \"timeout_ms\"?");
  expect_error(source_text("nap_us = 5\n"), "unknown key here; it belongs in [lane]");
  expect_error(source_text("zzz = 5\n"), "unknown key; known here: ");
  expect_error("nmae = \"x\"\n" + source_text(),
               "c.toml:1: nmae: unknown key; did you mean \"name\"?");
  expect_error(source_text() + "[lanes]\n", "did you mean \"lane\"?");
  expect_error(source_text() + "prot = \"udp\"\n",
               "source.replica.prot: unknown key; did you mean \"port\"?");
}

TEST(Config, WrongTypesAndRangesNameKeyLineAndExpectation) {
  expect_error(source_text("timeout_ms = \"10\"\n"),
               "c.toml:8: source.timeout_ms: expected an integer, found a text");
  expect_error(source_text("timeout_ms = 9\n"),
               "source.timeout_ms: 9 is out of range, expected 10 to 31536000000 ms");
  expect_error(source_text("timeout_ms = -1\n"), "is out of range");
  expect_error(source_text("timeout_ms = 1.5\n"), "expected an integer, found a number");
  expect_error(source_text("wait_point = \"AFTER_SYNK\"\n"), "did you mean \"AFTER_SYNC\"?");
  expect_error(source_text("server_user = \"\"\n"), "must not be empty");
  expect_error(source_text() + "[lane]\nidle = 3\n", "expected one of \"auto\", \"spin\"");
  expect_error(source_text() + "[eal]\narguments = [\"a\", 3]\n", "expected a list of texts");
  expect_error(source_text() + "[danger_faults]\nloss = 1.0\n",
               "is out of range, expected 0 to 0.99");
  expect_error(source_text() + "[danger_faults]\nloss = nan\n", "is out of range");
  expect_error(std::string("lane = 3\n") + source_text(), "lane: expected a section");
  expect_error(std::string(kTop) + kReplica + "danger_buffered_journal = 1\n",
               "expected true or false");
  expect_error(
      std::string(kTop) + "[replica]\nport = \"ucp\"\naddress = \"a\"\nfeed_server_id = 1\n",
      "replica.port: expected \"vhost:/path.sock\"");
  expect_error(std::string(kTop) + "[replica]\nport = \"vhost:rel\"\n", "absolute socket path");
  expect_error(std::string(kTop) + "[replica]\nport = \"udp\"\naddress = \"1.2.3.4:70000\"\n",
               "replica.address: expected \"IPv4 address:port\"");
}

TEST(Config, MissingKeysAndSectionsAreNamed) {
  expect_error("name = \"x\"\n[replica]\n", "cluster: is missing");
  expect_error(kTop, "neither [source] nor [replica]");
  expect_error(std::string(kTop) + kSource, "a source needs replicas");
  expect_error(std::string(kTop) + "[replica]\nport = \"udp\"\n", "replica.address: is missing");
  expect_error(std::string(kTop) + "[replica]\nport = \"udp\"\n",
               "replica.feed_password_file: is missing");
  expect_error(std::string(kTop) + kSource + "[source.replica]\nname = \"r1\"\n",
               "one section [[source.replica]] for each replica");
}

TEST(Config, MySqlsNamesAndDashesAreTheKeysToo) {
  for (const char* line : {"rpl_semi_sync_source_timeout = 1500\n",
                           "rpl-semi-sync-master-timeout = 1500\n", "timeout-ms = 1500\n"})
    EXPECT_EQ(parse_config(source_text(line), "c.toml").source->timeout_ms, 1500U) << line;
  const Config config =
      parse_config(source_text("rpl_semi_sync_master_wait_point = \"AFTER_COMMIT\"\n"), "c.toml");
  EXPECT_EQ(config.source->wait_point, WaitPoint::after_commit);
  expect_error(source_text("timeout_ms = 1\nrpl_semi_sync_source_timeout = 1500\n"),
               "timeout_ms is already given, under another of its names");
}

std::string problem_of(const Config& config, const char* key, const char* value) {
  const auto changed = change_setting(config, key, value);
  const auto* problem = std::get_if<ConfigProblem>(&changed);
  return problem == nullptr ? std::string() : problem->field + ": " + problem->message;
}

TEST(Config, ALiveKeyChangesAndIsCheckedLikeAFile) {
  const Config config = parse_config(source_text(), "c.toml");
  const auto changed = change_setting(config, "rpl-semi-sync-source-timeout", "250");
  ASSERT_TRUE(std::holds_alternative<Config>(changed));
  EXPECT_EQ(std::get<Config>(changed).source->timeout_ms, 250U);
  EXPECT_EQ(std::get<Config>(change_setting(config, "quorum", "FIRST 1 (r2, r1)"))
                .source->quorum.clauses[0]
                .ordered,
            true);
  EXPECT_EQ(std::get<Config>(change_setting(config, "fallback", "block")).source->fallback,
            FallbackMode::block);
  EXPECT_EQ(problem_of(config, "timeout_ms", "9"),
            "source.timeout_ms: 9 is out of range, expected 10 to 31536000000 ms");
  EXPECT_EQ(problem_of(config, "timeout_ms", "soon"),
            "source.timeout_ms: expected an integer, found a text");
  EXPECT_NE(problem_of(config, "quorum", "ANY 3 (r1, r2)").find("can never be satisfied"),
            std::string::npos);
  EXPECT_NE(problem_of(config, "server_timeout_ms", "10500").find("must be at least"),
            std::string::npos);
  EXPECT_NE(problem_of(config, "timeuot_ms", "500").find("did you mean \"timeout_ms\"?"),
            std::string::npos);
  EXPECT_NE(problem_of(config, "data_dir", "/x").find("takes effect only at a start"),
            std::string::npos);
  EXPECT_NE(problem_of(config, "acker_server_id", "7").find("takes effect only at a start"),
            std::string::npos);
}

TEST(Config, WhatAFileChangesIsNamedAndTakenOverWhereItMayBe) {
  const Config running = parse_config(source_text(), "c.toml");
  const Config file = parse_config(
      source_text("timeout_ms = 700\nquorum = \"ANY 2 (r1, r2)\"\nserver_user = \"other\"\n"
                  "[lane]\nnap_us = 7\n")
          .replace(source_text().find("quorum = \"ANY 1 (r1, r2)\"\n"),
                   std::string("quorum = \"ANY 1 (r1, r2)\"\n").size(), ""),
      "c.toml");
  EXPECT_TRUE(differing_keys(running, running).empty());
  EXPECT_EQ(differing_keys(running, file),
            (std::vector<std::string>{"lane.nap_us", "source.server_user", "source.quorum",
                                      "source.timeout_ms"}));
  EXPECT_FALSE(with_key_of(running, file, "lane.nap_us"));
  EXPECT_FALSE(with_key_of(running, file, "source.server_user"));
  const auto timeout = with_key_of(running, file, "source.timeout_ms");
  ASSERT_TRUE(timeout);
  EXPECT_EQ(std::get<Config>(*timeout).source->timeout_ms, 700U);
  EXPECT_EQ(std::get<Config>(*timeout).source->quorum.clauses[0].count, 1U);
  const auto quorum = with_key_of(running, file, "source.quorum");
  ASSERT_TRUE(quorum);
  EXPECT_EQ(std::get<Config>(*quorum).source->quorum.clauses[0].count, 2U);
}

TEST(Config, EveryKeyIsExplained) {
  for (const KeyDescription& key : describe_keys()) {
    const auto found = find_key(key.full_name());
    ASSERT_TRUE(std::holds_alternative<KeyDescription>(found)) << key.full_name();
    EXPECT_NE(explain_text(std::get<KeyDescription>(found)).find(key.why), std::string::npos);
  }
  const std::string text =
      explain_text(std::get<KeyDescription>(find_key("rpl_semi_sync_master_timeout")));
  for (const char* part : {"source.timeout_ms", "10 to 31536000000 ms", "default  10000", "live",
                           "rpl_semi_sync_source_timeout"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
}

TEST(Config, SyntaxErrorsNameLineAndColumn) {
  expect_error("name = \n", "c.toml:1:");
}

TEST(Config, ReportsSeveralFaultsAtOnceUpToABound) {
  const std::string two = error_of(source_text("a_b_c = 1\ntimeout_ms = 1\n"));
  EXPECT_NE(two.find("a_b_c"), std::string::npos);
  EXPECT_NE(two.find("timeout_ms"), std::string::npos);
  std::string many;
  for (int i = 0; i < 30; ++i) many += "zz" + std::to_string(i) + " = 1\n";
  expect_error(source_text(many), "and 10 more");
}

TEST(Config, CrossChecks) {
  expect_error(source_text("timeout_ms = 5000\nserver_timeout_ms = 5999\n"),
               "must be at least timeout_ms + 1000 ms = 6000 ms");
  EXPECT_EQ(error_of(source_text("timeout_ms = 5000\nserver_timeout_ms = 6000\n")), "");
  expect_error(source_text("recover_after_ms = 1000\nrecover_backoff_max_ms = 10\n"),
               "is less than recover_after_ms");
  std::string text = source_text();
  text.replace(text.find("(r1, r2)"), 8, "(r1, r7)");
  expect_error(text, "c.toml:7: source.quorum: 'r7' is not a configured replica");
  text = source_text();
  text.replace(text.find("(r1, r2)"), 8, "(r1) LEVEL applied");
  EXPECT_EQ(error_of(text), "");
  text = source_text();
  text.replace(text.find("name = \"r2\""), 11, "name = \"r1\"");
  expect_error(text, "\"r1\" is already the name of another replica");
  text = source_text();
  text.replace(text.find("name = \"r2\""), 11, "name = \"s\"");
  expect_error(text, "is this host's own name");
  text = source_text();
  text.replace(text.find("/run/r2.sock"), 12, "/run/r1.sock");
  text.replace(text.find("198.18.0.3"), 10, "198.18.0.2");
  expect_error(text, "is already that of \"r1\"");
  text.replace(text.rfind("198.18.0.1:7100"), 15, "198.18.0.9:7100");
  expect_error(text, "differs from that of \"r1\", which shares its port");
  expect_error("admin_socket = \"/" + std::string(120, 'x') + "\"\n" + source_text(),
               "a unix socket's path can have 107");
  expect_error("name = \"a b\"\ncluster = \"c\"\ndata_dir = \"/d\"\n" + std::string(kReplica),
               "may hold letters, digits");
}

TEST(Config, WarnsWhereSomethingIsLegalButUnwise) {
  std::string text = source_text() + "[danger_faults]\nloss = 0.05\n";
  text.replace(text.find("(r1, r2)"), 8, "(r1) LEVEL received");
  EXPECT_EQ(parse_config(text, "c.toml").warnings.size(), 3U);
}

std::string replica_with(const std::string& line, const char* port = "udp") {
  return std::string(kTop) + "[replica]\nport = \"" + port +
         "\"\naddress = \"10.0.0.2:7100\"\nfeed_password = \"hush\"\n" + line;
}

// A [source] section whose only replica has this port and local address.
std::string source_with(const std::string& port, const std::string& local) {
  return "[source]\nserver_socket = \"/run/s\"\nacker_server_id = 9\nquorum = \"ANY 1 (r1)\"\n"
         "[[source.replica]]\nname = \"r1\"\nport = \"" +
         port + "\"\nlocal_address = \"" + local + "\"\naddress = \"10.0.0.3:7100\"\n";
}

TEST(Config, ReadsWhomAReplicaHears) {
  const Config config =
      parse_config(replica_with("sources = [\"10.0.0.1:7200\", \"10.0.0.3\"]\n"), "c.toml");
  const ReplicaSources sources = replica_sources(config);
  EXPECT_EQ(sources.from, SourcesFrom::configuration);
  EXPECT_TRUE(sources.peers.hears(0, {0x0a000001, 7200}));
  EXPECT_FALSE(sources.peers.hears(0, {0x0a000001, 7201}));
  EXPECT_TRUE(sources.peers.hears(0, {0x0a000003, 40'000}));
  EXPECT_FALSE(sources.peers.hears(0, {0x0a000004, 7200}));
  for (const char* const bad : {"10.0.0", "10.0.0.1:", "10.0.0.1:0", "host:7200", "", "0.0.0.0",
                                "10.0.0.1:7200@02:00:00:00:00", "10.0.0.1:7200@ff:ff:ff:ff:ff:ff"})
    expect_error(replica_with(std::string("sources = [\"") + bad + "\"]\n"), "replica.sources");
}

// Who is a source is worked out only where the [source] section really says it.
TEST(Config, SourcesThatAreNotListed) {
  const auto from = [](const std::string& text) {
    return replica_sources(parse_config(text, "c.toml")).from;
  };
  const std::string both =
      source_with("udp", "10.0.0.2:7200") + replica_with("").substr(std::strlen(kTop));
  EXPECT_EQ(from(kTop + both), SourcesFrom::own_peers);
  const ReplicaSources derived = replica_sources(parse_config(kTop + both, "c.toml"));
  EXPECT_TRUE(derived.peers.hears(0, {0x0a000003, 7200}));
  EXPECT_FALSE(derived.peers.hears(0, {0x0a000004, 7200}));
  EXPECT_EQ(from(replica_with("")), SourcesFrom::anybody);
  EXPECT_EQ(from(replica_with("", "vhost:/run/x.sock")), SourcesFrom::socket);
  EXPECT_EQ(from(kTop + source_with("dpdk:0000:01:00.0", "10.0.1.2:7200") +
                 replica_with("").substr(std::strlen(kTop))),
            SourcesFrom::anybody);
  const auto warned = [](const std::string& text) {
    const auto warnings = parse_config(text, "c.toml").warnings;
    return std::any_of(warnings.begin(), warnings.end(), [](const std::string& warning) {
      return warning.find("replica.sources is missing") != std::string::npos;
    });
  };
  EXPECT_TRUE(warned(replica_with("")));
  EXPECT_FALSE(warned(kTop + both));
  EXPECT_FALSE(warned(replica_with("", "vhost:/run/x.sock")));
}

TEST(Config, MacAddressesAreForPortsWithAnArpTable) {
  const std::string listed = "sources = [\"10.0.0.1:7200@02:00:00:00:00:01\"]\n";
  const Config config = parse_config(replica_with(listed, "dpdk:0000:01:00.0"), "c.toml");
  const auto neighbours = neighbours_of(*config.replica);
  ASSERT_EQ(neighbours.size(), 1U);
  EXPECT_EQ(neighbours[0].ipv4, 0x0a000001U);
  EXPECT_EQ(neighbours[0].mac.bytes[5], 1);
  expect_error(replica_with(listed), "ip neighbour");
  expect_error(kTop + source_with("udp", "10.0.0.2:7200") + "mac = \"02:00:00:00:00:01\"\n",
               "source.replica.mac");
  expect_error(kTop + source_with("dpdk:x", "10.0.0.2:7200") + "mac = \"01:00:00:00:00:01\"\n",
               "source.replica.mac");
  const Config source = parse_config(
      kTop + source_with("dpdk:x", "10.0.0.2:7200") + "mac = \"02:00:00:00:00:0a\"\n", "c.toml");
  const auto known = neighbours_of(*source.source, source.source->replicas[0]);
  ASSERT_EQ(known.size(), 1U);
  EXPECT_EQ(known[0].ipv4, 0x0a000003U);
}

// Two sections that want one port: said by the check, not found out at the start.
TEST(Config, PortsThatCannotBeHadTwice) {
  const auto both = [](const std::string& source_port, const std::string& local,
                       const char* replica_port) {
    return kTop + source_with(source_port, local) +
           replica_with("", replica_port).substr(std::strlen(kTop));
  };
  expect_error(both("udp", "10.0.0.2:7100", "udp"), "source.replica.local_address");
  expect_error(both("udp", "10.0.0.2:7100", "udp"), "use another port number");
  EXPECT_EQ(error_of(both("udp", "10.0.0.2:7200", "udp")), "");
  expect_error(both("dpdk:0000:01:00.0", "10.0.0.2:7200", "dpdk:0000:01:00.0,mac=x"),
               "0000:01:00.0 is already used");
  EXPECT_EQ(error_of(both("dpdk:0000:01:00.0", "10.0.0.2:7200", "dpdk:0000:01:00.1")), "");
  expect_error(both("dpdk:net_af_packet0,iface=eth0", "10.0.0.2:7200",
                    "dpdk:net_af_packet1,qpairs=1,iface=eth0"),
               "another af_packet device is already bound to eth0");
  EXPECT_EQ(error_of(both("dpdk:net_af_packet0,iface=eth0", "10.0.0.2:7200",
                          "dpdk:net_af_packet1,iface=eth1")),
            "");
  expect_error(both("vhost:/run/x.sock", "10.0.0.2:7200", "vhost:/run/x.sock"),
               "/run/x.sock is already used");
  // Also within a section.
  expect_error(kTop + source_with("dpdk:net_af_packet0,iface=eth0", "10.0.0.2:7200") +
                   "[[source.replica]]\nname = \"r2\"\nport = "
                   "\"dpdk:net_af_packet1,iface=eth0\"\nlocal_address = \"10.0.0.2:7201\"\n"
                   "address = \"10.0.0.4:7100\"\n",
               "another af_packet device is already bound to eth0");
}

TEST(Config, SourcesChangeWhileTheDaemonRuns) {
  const Config config = parse_config(replica_with("sources = [\"10.0.0.1:7200\"]\n"), "c.toml");
  const auto changed = change_setting(config, "replica.sources", "10.0.0.1:7200, 10.0.0.3");
  ASSERT_TRUE(std::holds_alternative<Config>(changed));
  EXPECT_EQ(std::get<Config>(changed).replica->sources,
            (std::vector<std::string>{"10.0.0.1:7200", "10.0.0.3"}));
  const auto wrong = change_setting(config, "replica.sources", "10.0.0.1:7200, nonsense");
  ASSERT_TRUE(std::holds_alternative<ConfigProblem>(wrong));
  EXPECT_NE(std::get<ConfigProblem>(wrong).message.find("nonsense"), std::string::npos);
  const Config file = parse_config(replica_with("sources = [\"10.0.0.9\"]\n"), "c.toml");
  EXPECT_EQ(differing_keys(config, file), std::vector<std::string>{"replica.sources"});
  const auto taken = with_key_of(config, file, "replica.sources");
  ASSERT_TRUE(taken && std::holds_alternative<Config>(*taken));
  EXPECT_EQ(std::get<Config>(*taken).replica->sources, std::vector<std::string>{"10.0.0.9"});
}

TEST(Config, PrintedFormReadsBackAndShowsNoPassword) {
  const std::string text =
      source_text("server_password = \"s3cret\"\nserver_user = \"a\\\"b\\\\c\"\n") + kReplica +
      "[danger_faults]\nloss = 0.05\ndelay_us = 200\n[lane]\nidle = \"nap\"\n";
  const Config config = parse_config(text, "c.toml");
  const std::string printed = print_config(config);
  EXPECT_EQ(printed.find("s3cret"), std::string::npos);
  EXPECT_EQ(printed.find("hush"), std::string::npos);
  EXPECT_NE(printed.find("# server_password is set, not shown"), std::string::npos);
  // The password of the feed is required, so it must be put back before reading again.
  std::string again = printed;
  const std::string note = "# feed_password is set, not shown";
  ASSERT_NE(again.find(note), std::string::npos);
  again.replace(again.find(note), note.size(), "feed_password = \"hush\"");
  std::string note2 = "# server_password is set, not shown";
  again.replace(again.find(note2), note2.size(), "server_password = \"s3cret\"");
  const Config reread = parse_config(again, "printed.toml");
  EXPECT_EQ(print_config(reread), printed);
  EXPECT_EQ(reread.source->server_user, "a\"b\\c");
  EXPECT_EQ(reread.lane.idle, IdleMode::nap);
  EXPECT_DOUBLE_EQ(reread.faults.loss, 0.05);
  EXPECT_EQ(reread.faults.delay_us, 200U);
  EXPECT_TRUE(reread.source->quorum == config.source->quorum);
}

TEST(Config, EveryKeyIsDescribedAndItsDefaultIsInRange) {
  const auto all = describe_keys();
  EXPECT_GT(all.size(), 35U);
  for (const KeyDescription& key : all) {
    EXPECT_FALSE(key.why.empty()) << key.name;
    EXPECT_FALSE(key.type.empty()) << key.name;
    EXPECT_EQ(key.required,
              key.default_value.empty() && key.name.find("password") == std::string::npos)
        << key.section << "." << key.name;
    // Units last in names.
    if (key.unit == "ms") {
      EXPECT_TRUE(key.name.ends_with("_ms")) << key.name;
    }
    if (key.unit == "us") {
      EXPECT_TRUE(key.name.ends_with("_us")) << key.name;
    }
  }
}

class PasswordFile : public ::testing::Test {
 protected:
  std::string write(const std::string& text, mode_t mode) {
    const std::string path = directory_.file("password");
    std::ofstream(path, std::ios::binary) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  std::string problem_of(const std::string& path) {
    std::string problem;
    const Secret secret = read_password_file(path, problem);
    EXPECT_EQ(secret.empty(), !problem.empty());
    return problem;
  }
  TemporaryDirectory directory_;
};

TEST_F(PasswordFile, IsReadWithoutItsNewline) {
  std::string problem;
  EXPECT_EQ(read_password_file(write("pa ss\n", 0600), problem).reveal(), "pa ss");
  EXPECT_EQ(problem, "");
  EXPECT_EQ(read_password_file(write("x", 0640), problem).reveal(), "x");
}

TEST_F(PasswordFile, OthersMustNotReachIt) {
  // The named remedy does not take the file away from the group by which binlaned reads it.
  EXPECT_NE(problem_of(write("x\n", 0644)).find("chmod g-w,o= "), std::string::npos);
  EXPECT_NE(problem_of(write("x\n", 0660)).find("mode 0660"), std::string::npos);
}

TEST_F(PasswordFile, BadContentsAreRefused) {
  EXPECT_NE(problem_of(write("\n", 0600)).find("is empty"), std::string::npos);
  EXPECT_NE(problem_of(write("a\nb\n", 0600)).find("more than one line"), std::string::npos);
  EXPECT_NE(problem_of(write(std::string(2000, 'x'), 0600)).find("more than 1024"),
            std::string::npos);
  EXPECT_NE(problem_of(directory_.file("none")).find("cannot open"), std::string::npos);
  EXPECT_NE(problem_of(directory_.path()).find("not a regular file"), std::string::npos);
}

TEST_F(PasswordFile, IsTakenByTheConfiguration) {
  const std::string path = write("fromfile\n", 0600);
  const Config config =
      parse_config(source_text("server_password_file = \"" + path + "\"\n"), "c.toml");
  EXPECT_EQ(config.source->server_password.reveal(), "fromfile");
  expect_error(source_text("server_password_file = \"" + path + "\"\nserver_password = \"b\"\n"),
               "is given beside server_password");
  expect_error(source_text("server_password_file = \"/nonexistent/p\"\n"),
               "c.toml:8: source.server_password_file: cannot open");
}

TEST(Config, LoadsFromAFile) {
  TemporaryDirectory directory;
  const std::string path = directory.file("binlaned.toml");
  std::ofstream(path) << kTop << kReplica;
  ::chmod(path.c_str(), 0644);
  const Config config = load_config(path);
  EXPECT_EQ(config.name, "s");
  ASSERT_EQ(config.warnings.size(), 1U);  // a password that others can read
  EXPECT_NE(config.warnings[0].find("holds a password"), std::string::npos);
  EXPECT_THROW(load_config(directory.file("none")), StartupError);
  EXPECT_THROW(load_config(directory.path()), StartupError);
}

TEST(Suggest, DistanceCountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", "abc"), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("nmae", "name"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance(std::string(70, 'a'), "a"), 70U);
}

}  // namespace
}  // namespace binlane
