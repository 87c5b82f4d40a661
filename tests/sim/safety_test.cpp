// The safety rules, one scripted run each, by their names. The checks of I1 to I8 run in every step
// of these as well. A check that fails throws Violation, which fails the test.
//
// S2, S10, S12, S14 and S15 are in safety_promotion_test.cpp.
#include "safety_script.h"

namespace binlane::sim {
namespace {

using namespace scripted;

WorldOptions mariadb() {
  WorldOptions options = script();
  options.server.kind = ServerKind::mariadb;
  return options;
}

bool anybody_in_session(const World& world) {
  const auto views = world.source().replicas();
  return std::any_of(views.begin(), views.end(), [](const auto& view) { return view.in_session; });
}

bool every_refusal_says(const World& world, const std::string& words) {
  const auto views = world.source().replicas();
  return !views.empty() && std::all_of(views.begin(), views.end(), [&](const auto& view) {
    return view.refusal.find(words) != std::string::npos;
  });
}

// The power of the source's machine fails: what was not synced is lost, or a part of it, or reads
// as zeros.
void cut_source_power(World& world) {
  world.source().kill();
  world.server().kill();
  world.binlogs().cut_power(world.random());
  world.run_for(5 * kMs);
  world.server().start();
  world.source().start();
}

void lose_the_tail(World& world) {
  world.run_until(
      [&] {
        return world.binlogs().durable_until() < world.server().written() &&
               std::any_of(world.replicas().begin(), world.replicas().end(), [&](const auto& r) {
                 return r->journal()->durable() > world.binlogs().durable_until();
               });
      },
      kSoonNs, "a replica that is ahead of the source's disk");
  cut_source_power(world);
}

// S1: a source's daemon restarts again and again while frames of its older epochs still arrive.
// Each incarnation raises the epoch, and no frame of an older one counts (checks I2, I3).
TEST(Safety, S1_OlderEpochsNeverCount) {
  World world(script());
  run_until_semisync(world);
  world.network().faults.replay = 0.4;
  Epoch last = world.source().epoch();
  for (int i = 0; i < 4; ++i) {
    world.source().kill();
    world.run_for(20 * kMs);
    world.source().start();
    world.run_for(800 * kMs);
    ASSERT_GT(world.source().epoch(), last);
    ASSERT_EQ(world.source().epoch().term, last.term);
    last = world.source().epoch();
  }
  world.network().faults.replay = 0;
  run_until_healthy(world);
  for (const auto& replica : world.replicas()) EXPECT_EQ(replica->journal()->epoch(), last);
}

// S3: a commit waits, no replica has it, and the daemon restarts and registers. A registration at
// the file's end would be an ACK: the commit would return OK, and no replica would have it.
TEST(Safety, S3_RegistrationIsNoFalseAck) {
  World world(script());
  run_until_semisync(world);
  cut_off_all_replicas(world);
  world.run_until([&] { return world.server().waiting() > 0; }, kSoonNs, "a commit that waits");
  world.run_for(50 * kMs);
  const std::size_t before = answered(world, Answer::acked);
  world.source().kill();
  world.source().start();
  world.run_for(500 * kMs);
  EXPECT_EQ(answered(world, Answer::acked), before);
  EXPECT_GT(world.server().waiting(), 0U);
  world.blocks.clear();
  run_until_healthy(world);
}

// S3: the binlogs are purged beyond the quorum mark. The mark remains where it was: the server is
// told of nothing more, and the ledger's interval begins at the mark (check I4).
TEST(Safety, S3_APurgeMovesNoQuorum) {
  WorldOptions options = script();
  options.server.max_file_bytes = 2000;
  World world(options);
  run_until_semisync(world);
  cut_off_all_replicas(world);
  world.run_until([&] { return world.server().waiting() > 0; }, kSoonNs, "a commit that waits");
  const std::size_t before = answered(world, Answer::acked);
  const std::uint32_t file = world.server().written().file;
  world.run_until([&] { return world.server().written().file > file + 3; }, kSoonNs, "more files");
  world.server().purge_before(world.server().written().file);
  world.run_until([&] { return world.source().fallback_state() == FallbackState::async; }, kSoonNs,
                  "degraded");
  EXPECT_EQ(answered(world, Answer::acked), before);
  world.blocks.clear();
  for (auto& replica : world.replicas()) {
    replica->kill();
    replica->reseed();
    replica->start();
  }
  run_until_healthy(world);
}

// S4: two replicas have the same journal id (a copied disk). Together they count as one.
TEST(Safety, S4_OneJournalCountsOnce) {
  World world(script());
  auto& replicas = world.replicas();
  replicas[1]->kill();
  replicas[1]->superblock().bytes = replicas[0]->superblock().bytes;
  replicas[1]->start();
  world.blocks = {{0, replicas[2]->endpoint().ipv4}};
  world.run_until([&] { return anybody_in_session(world); }, kSoonNs, "a session");
  world.run_for(1500 * kMs);
  EXPECT_EQ(answered(world, Answer::acked), 0U);
  EXPECT_GT(answered(world, Answer::none) + answered(world, Answer::exposed), 0U);
}

// S5: the source's data folder comes back without bytes that replicas were told to release. No
// session begins, both ends say why, and nothing is cut.
TEST(Safety, S5_ASourceThatLostSyncedDataIsNone) {
  World world(script());
  run_until_semisync(world);
  world.run_for(500 * kMs);
  world.source().kill();
  world.server().kill();
  const std::uint32_t last = world.binlogs().last();
  world.binlogs().truncate(last, world.binlogs().file(last).data.size() / 3);
  const std::uint64_t cuts = world.checks().counts().cuts;
  world.server().start();
  world.source().start();
  world.run_until([&] { return every_refusal_says(world, "lost data"); }, kSoonNs, "refusals");
  EXPECT_FALSE(anybody_in_session(world));
  EXPECT_EQ(world.checks().counts().cuts, cuts);
}

// S5, with the marks of earlier incarnations: a replica is away while the source twice loses a tail
// and continues. The replica holds bytes that never were safe. Its log is cut, and it is not
// refused.
TEST(Safety, S5_AReplicaThatWasAwayIsHeldToWhatItMustShare) {
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world(script(seed));
    run_until_semisync(world);
    auto& away = *world.replicas()[0];
    lose_the_tail(world);
    away.kill();
    for (int i = 0; i < 2; ++i) {
      run_until_semisync(world);
      world.run_for(1500 * kMs);
      cut_source_power(world);
    }
    world.run_for(1500 * kMs);
    away.start();
    run_until_healthy(world);
    cuts += world.checks().counts().cuts;
  }
  EXPECT_GT(cuts, 0U);
}

// S6: the server dies in the middle of writing a group while the daemon lives, and continues in the
// next file. MariaDB keeps the torn tail for ever, and so do the archives (check I8). MySQL cuts it
// off, and the replicas that hold it cut it as well, although the daemon may have synced it.
void torn_files(ServerKind kind) {
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    WorldOptions options = script(seed);
    options.server.kind = kind;
    options.server.second_piece_ns = 5 * kMs;
    World world(options);
    for (int i = 0; i < 3; ++i) {
      run_until_semisync(world);
      run_until_half_a_group(world);
      world.server().kill();
      world.run_for(1500 * kMs);
      world.server().start();
    }
    run_until_healthy(world);
    cuts += world.checks().counts().cuts;
  }
  if (temperament_of(kind).trims_torn_files) {
    EXPECT_GT(cuts, 0U);
  } else {
    EXPECT_EQ(cuts, 0U);
  }
}
TEST(Safety, S6_ATornFileAndItsSuccessor_MariaDb) {
  torn_files(ServerKind::mariadb);
}
TEST(Safety, S6_ATornFileAndItsSuccessor_MySql) {
  torn_files(ServerKind::mysql);
}

// S7: after a kill -9 the page cache has bytes that the server's recovery keeps and does not sync,
// and that its dump thread sends. The daemon syncs them before it announces them.
TEST(Safety, S7_WhatIsAnnouncedAsSyncedIsSynced) {
  World world(script());
  run_until_semisync(world);
  // Of whole groups: MySQL's recovery cuts off half a one.
  world.run_until(
      [&] {
        return world.binlogs().durable_until() < world.server().written() &&
               !world.server().within_group();
      },
      kSoonNs, "a tail that is not synced");
  const std::uint32_t old = world.binlogs().last();
  world.server().kill();
  world.server().start();
  ASSERT_LT(world.binlogs().file(old).synced, world.binlogs().file(old).data.size());
  const std::uint64_t before = world.source().incarnations();
  world.run_until(
      [&] {
        // The lane's mark is what the replicas are told.
        const Position told = world.source().marks().synced_at;
        EXPECT_LE(told, world.binlogs().durable_until());
        return world.source().incarnations() > before && told.file > old;
      },
      kSoonNs, "an incarnation that announces the new file");
  EXPECT_EQ(world.binlogs().file(old).synced, world.binlogs().file(old).data.size());
  run_until_healthy(world);
}

// S7, S5: a server that dies before a new file is in its index removes the file, and its next run
// uses the number again. The daemon, which syncs by itself between the end of the dump connection
// and its next look at the server, leaves that file alone.
TEST(Safety, S7_AFileThatTheServerHadNotListedIsNothing) {
  World world(script());
  for (int time = 0; time < 3; ++time) {
    run_until_semisync(world);
    std::uint32_t file = 0;
    world.run_until(
        [&] {
          const Position seen = world.source().marks().written_at;
          file = world.binlogs().last();
          return world.server().within_rotation() && seen.file == file && seen.offset > 0;
        },
        kSoonNs, "a new file that the lane has read and the index does not have");
    world.server().kill();
    world.run_for(2 * kNanosPerSecond);
    EXPECT_EQ(world.binlogs().file(file).synced, 0U);
    world.server().start();
    ASSERT_EQ(world.server().first_file_of_run(), file);
  }
  run_until_healthy(world);
}

// S8: the leader of a waiting group is killed. The whole group returns OK, and the server's status
// remains ON. Binlane notices, and the commits are in the ledger.
TEST(Safety, S8_AKilledWaiterIsNoticed) {
  World world(mariadb());
  run_until_semisync(world);
  cut_off_all_replicas(world);
  world.run_until([&] { return world.server().waiting() > 2; }, kSoonNs, "commits that wait");
  world.run_for(600 * kMs);
  ASSERT_TRUE(world.source().ledger()->open_intervals().empty());
  world.server().kill_waiter();
  ASSERT_TRUE(world.server().status_on());
  world.run_for(300 * kMs);
  EXPECT_FALSE(world.source().ledger()->open_intervals().empty());
  world.blocks.clear();
  run_until_healthy(world);
}

// S8: the server's own timeout ends a wait while no daemon runs. The next daemon notices.
TEST(Safety, S8_TheServersOwnTimeoutIsNoticed) {
  World world(script());
  run_until_semisync(world);
  world.run_for(1500 * kMs);
  world.source().kill();
  world.run_until([&] { return !world.server().status_on(); }, kSoonNs, "the server's timeout");
  ASSERT_GT(answered(world, Answer::exposed), 0U);
  world.source().start();
  run_until_healthy(world);
  EXPECT_GT(world.source().ledger()->totals().entries, 0U);
}

// S9: the level of the rule is `received`, and disks are slow. Commits return early, but nothing is
// released before a quorum has it durable (check I7).
TEST(Safety, S9_ReleasedMeansDurableWhateverTheLevel) {
  World world(script());
  run_until_semisync(world);
  world.source().kill();
  const Status changed = world.source().change([](SourceHostOptions& options) {
    options.rule.level = AckLevel::received;
    ++options.rule.number;
  });
  ASSERT_TRUE(changed.is_ok());
  world.source().start();
  for (auto& replica : world.replicas()) {
    replica->disk().min_ns *= 100;
    replica->disk().max_ns *= 100;
  }
  const std::uint64_t feeds = world.checks().counts().feeds;
  for (const std::uint64_t end_ns = world.virtual_ns() + 2 * kNanosPerSecond;
       world.virtual_ns() < end_ns;) {
    world.step();
    const Position released = world.source().marks().released_at;
    const auto holders = std::count_if(
        world.replicas().begin(), world.replicas().end(),
        [&](const auto& replica) { return replica->journal()->durable() >= released; });
    ASSERT_GE(holders, world.options().quorum) << to_string(released);
  }
  EXPECT_GT(world.checks().counts().feeds, feeds);
  run_until_healthy(world);
}

// S11: a replica's log was cut, and then the power fails. The cut is a record, so what it removed
// does not come back, and the durable mark never goes back (checks I5, I8).
TEST(Safety, S11_ACutSurvivesAPowerCut) {
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world(script(seed));
    run_until_semisync(world);
    lose_the_tail(world);
    const std::uint64_t before = world.checks().counts().cuts;
    world.run_for(world.random().below(60 * kMs));
    for (auto& replica : world.replicas()) {
      replica->disk().tear = 512;
      replica->cut_power();
      replica->start();
      ASSERT_TRUE(replica->up()) << replica->problem();
    }
    run_until_semisync(world);
    run_until_healthy(world);
    cuts += world.checks().counts().cuts - before;
  }
  EXPECT_GT(cuts, 0U);
}

// S13: no replica answers. Binlane writes the ledger first (check I4), and then switches semi-sync
// off, a second before the server would give up by itself. All of it is taken back when the
// replicas are back.
TEST(Safety, S13_LedgerThenOffBeforeTheServersOwnTimeout) {
  World world(script());
  run_until_semisync(world);
  const std::uint64_t releases = world.checks().counts().releases;
  cut_off_all_replicas(world);
  world.run_until([&] { return world.source().fallback_state() == FallbackState::async; }, kSoonNs,
                  "degraded");
  EXPECT_EQ(world.checks().counts().releases, releases + 1);
  EXPECT_EQ(world.server().timeouts(), 0U);
  EXPECT_FALSE(world.source().ledger()->open_intervals().empty());
  world.blocks.clear();
  run_until_healthy(world);
}

// S13: the ledger cannot be written, so Binlane releases nothing. Only the server's own timeout
// ends the wait.
TEST(Safety, S13_NoReleaseWithoutTheLedger) {
  World world(script());
  run_until_semisync(world);
  const std::uint64_t releases = world.checks().counts().releases;
  SourceHost::fail_ledger(EIO);
  cut_off_all_replicas(world);
  world.run_until([&] { return world.server().timeouts() > 0; }, kSoonNs,
                  "the server's own timeout");
  EXPECT_EQ(world.checks().counts().releases, releases);
}

// S16: RESET MASTER. The numbers begin anew and name other bytes: it is a new stream, of which the
// replicas hold nothing. They are refused until they are re-seeded.
TEST(Safety, S16_AfterAResetReplicasAreReseeded) {
  World world(script());
  run_until_semisync(world);
  const Uuid before = world.source().origin();
  world.run_until([&] { return world.server().reset_master(); }, kSoonNs, "a moment for RESET");
  world.run_until([&] { return world.source().origin() != before; }, kSoonNs, "a new stream");
  world.run_until([&] { return every_refusal_says(world, "holds the stream"); }, kSoonNs,
                  "refusals");
  EXPECT_FALSE(anybody_in_session(world));
  world.operators();
  run_until_healthy(world);
}

// S24: the server continues after half a group, as MariaDB does. Nothing after that half is given
// to anybody, whether the server rotates, is killed or both, and the operator is told where the
// damage is. Mutants: scan_trusts_continuity, scan_takes_damage_for_crash,
// tailer_follows_misplaced_events.
TEST(Safety, S24_ATornBinlogIsRefusedWithThePlace) {
  for (const bool killed : {false, true}) {
    World world(mariadb());
    run_until_semisync(world);
    world.server().tear_next_group();
    world.run_until([&] { return !world.server().torn_at().is_null(); }, kSoonNs, "a torn binlog");
    const Position torn = world.server().torn_at();
    world.run_for(kNanosPerSecond);
    if (killed) {
      world.server().kill();
      world.server().start();
    } else {
      world.server().flush_logs();
    }
    world.run_until(
        [&] {
          return !world.source().running() &&
                 world.source().problem().find("is damaged at") != std::string::npos;
        },
        kSoonNs, "a refusal");
    for (const auto& replica : world.replicas()) EXPECT_LE(replica->fed(), torn);
    world.run_until(
        [&] {
          world.operators();
          return world.source().running();
        },
        kSoonNs, "a new stream");
    world.run_until([&] { return every_refusal_says(world, "holds the stream"); }, kSoonNs,
                    "every replica to be refused the new stream");
    world.operators();
    run_until_healthy(world);
  }
}

// S24: FLUSH BINARY LOGS DELETE_DOMAIN_ID does not begin a new stream, and is no damage.
TEST(Safety, S24_DeletedDomainsAreNoDamage) {
  World world(script());
  run_until_semisync(world);
  const Uuid before = world.source().origin();
  const std::uint32_t file = world.server().written().file;
  world.server().delete_domain();
  world.run_until([&] { return world.server().written().file > file; }, kSoonNs, "a rotation");
  run_until_semisync(world);
  world.source().kill();
  world.source().start();
  run_until_semisync(world);
  EXPECT_EQ(world.source().origin(), before);
  run_until_healthy(world);
}

// S16, I4: a RESET while an exposure of the old stream is still on record, and the ledger's disk
// has failed. That record says nothing about the new stream, so Binlane releases no commit (check
// I4). Mutants: fresh_without_record, fresh_only_once.
TEST(Safety, S16_AnOldStreamsExposureCoversNothing) {
  World world(script());
  run_until_semisync(world);
  cut_off_all_replicas(world);
  world.run_until([&] { return world.source().fallback_state() == FallbackState::async; }, kSoonNs,
                  "degraded");
  SourceHost::fail_ledger(EIO);
  world.blocks.clear();
  run_until_semisync(world);
  ASSERT_FALSE(world.source().ledger()->open_intervals().empty());
  const std::uint64_t releases = world.checks().counts().releases;
  const Uuid before = world.source().origin();
  world.run_until([&] { return world.server().reset_master(); }, kSoonNs, "a moment for RESET");
  world.run_until([&] { return world.source().origin() != before; }, kSoonNs, "a new stream");
  world.run_for(2 * kNanosPerSecond);
  EXPECT_EQ(world.checks().counts().releases, releases);
  EXPECT_EQ(world.source().fallback_state(), FallbackState::refused);
  // A daemon that can write the ledger again records what is missing.
  SourceHost::fail_ledger(0);
  world.source().kill();
  world.source().start();
  world.run_until([&] { return every_refusal_says(world, "holds the stream"); }, kSoonNs,
                  "refusals");
  world.operators();
  run_until_healthy(world);
  EXPECT_EQ(world.checks().counts().releases, releases + 1);
}

// S16, I4: a new stream's commits do not wait before it is on record that they do. Otherwise the
// next daemon would take the stream for fresh, and what the server then released by itself for
// something that was never promised. Mutant: promise_unrecorded.
TEST(Safety, S16_NobodyWaitsInAStreamBeforeThatIsOnRecord) {
  World world(script());
  world.run_until([&] { return world.source().running(); }, kSoonNs, "an incarnation");
  world.source().state_failing = true;
  world.run_until([&] { return world.source().fallback_state() == FallbackState::catching_up; },
                  kSoonNs, "replicas");
  for (int i = 0; i < 300; ++i) {
    world.run_for(10 * kMs);
    ASSERT_NE(world.source().fallback_state(), FallbackState::semisync);
  }
  world.source().state_failing = false;
  world.source().kill();
  world.source().start();
  run_until_healthy(world);
}

// S5: the server is restarted and its binlogs are reset before anybody looks, within the second in
// which the stream began, so the new file does not differ from the beginning of the old one. The
// record shows that this is not the stream that replicas were told of.
TEST(Safety, S5_AnIncarnationIsHeldToAllThatWasTold) {
  World world(script());
  run_until_semisync(world);
  const Uuid origin = world.source().origin();
  world.run_until([&] { return world.server().reset_master(); }, kSoonNs, "a moment for RESET");
  world.run_until([&] { return world.source().origin() != origin; }, kSoonNs, "a new stream");
  world.run_until([&] { return every_refusal_says(world, "holds the stream"); }, kSoonNs,
                  "refusals");
  world.operators();
  run_until_semisync(world);
  const Uuid before = world.source().origin();
  world.server().kill();
  world.run_for(300 * kMs);
  world.source().paused_until_ns = world.clock().time_ns + 20 * kMs;
  world.server().start();
  world.run_until([&] { return world.server().reset_master(); }, kSoonNs, "a moment for RESET");
  world.run_until([&] { return !world.source().running(); }, kSoonNs, "the incarnation's end");
  world.run_until(
      [&] { return world.source().problem().find("synced before") != std::string::npos; }, kSoonNs,
      "a refusal");
  EXPECT_EQ(world.source().origin(), before);
  world.operators();
  world.run_until([&] { return every_refusal_says(world, "holds the stream"); }, kSoonNs,
                  "refusals");
  world.operators();
  run_until_healthy(world);
}

// S17: where the server compares numbers (MySQL), the numbering has no end.
TEST(Safety, S17_FileNumbersAreNumbers) {
  WorldOptions options = script();
  options.server.kind = ServerKind::mysql;
  options.server.first_file = 999'998;
  options.server.max_file_bytes = 2000;
  World world(options);
  run_until_semisync(world);
  world.run_until([&] { return world.server().written().file > 1'000'001; }, kSoonNs, "files");
  run_until_healthy(world);
  for (const auto& replica : world.replicas()) EXPECT_GT(replica->archive_end().file, 1'000'001U);
}

// S17: MariaDB waits for nobody from binlog.1000000 on. Binlane ends semi-sync before that, for
// good.
TEST(Safety, S17_SemiSyncEndsWithTheNumbering) {
  WorldOptions options = mariadb();
  options.server.first_file = 999'970;
  options.server.max_file_bytes = 4000;
  World world(options);
  run_until_semisync(world);
  world.run_until([&] { return world.source().fallback_state() == FallbackState::async; }, kSoonNs,
                  "ASYNC");
  EXPECT_EQ(world.server().written().file, 999'999U);
  cut_off_all_replicas(world);
  world.run_until([&] { return world.server().written().file > 1'000'001; }, kSoonNs, "files");
  world.blocks.clear();
  world.run_for(3 * kNanosPerSecond);
  EXPECT_EQ(answered(world, Answer::unwaited), 0U);
  EXPECT_EQ(world.source().fallback_state(), FallbackState::async);
  // A restart of the daemon or of the server does not change that.
  world.source().kill();
  world.source().start();
  world.run_for(3 * kNanosPerSecond);
  EXPECT_EQ(world.source().fallback_state(), FallbackState::async);
  run_until_healthy(world);
  for (const auto& replica : world.replicas()) EXPECT_GT(replica->archive_end().file, 1'000'001U);
}

// S17: the last file appears before Binlane looks, and no replica answers. Everything from there on
// is in the interval.
TEST(Safety, S17_ARotationStormIsInTheInterval) {
  WorldOptions options = mariadb();
  options.server.first_file = 999'990;
  options.server.max_file_bytes = 1 << 20;
  World world(options);
  run_until_semisync(world);
  cut_off_all_replicas(world);
  world.source().paused_until_ns = world.clock().time_ns + 300 * kMs;
  world.server().storm(14);
  world.run_until([&] { return answered(world, Answer::unwaited) > 0; }, kSoonNs,
                  "a commit that nobody acknowledged");
  world.run_until([&] { return world.source().fallback_state() == FallbackState::async; }, kSoonNs,
                  "ASYNC");
  world.blocks.clear();
  world.run_for(3 * kNanosPerSecond);
  run_until_healthy(world);
}

// S23: a stock semi-sync replica is connected beside Binlane, and acknowledges before any of our
// replicas has a commit.
TEST(Safety, S23_ASecondAckerIsSeen) {
  World world(script());
  run_until_semisync(world);
  world.run_for(2 * kNanosPerSecond);
  world.server().connect_foreign();
  cut_off_all_replicas(world);
  world.run_until([&] { return world.source().fallback_state() == FallbackState::foreign_acker; },
                  200 * kMs, "FOREIGN_ACKER");
  world.run_until([&] { return answered(world, Answer::foreign) > 5; }, kSoonNs,
                  "commits by somebody else's word");
  EXPECT_EQ(world.source().ledger()->open_intervals().size(), 1U);
  world.blocks.clear();
  world.run_for(2 * kNanosPerSecond);
  EXPECT_EQ(world.source().fallback_state(), FallbackState::foreign_acker);
  EXPECT_EQ(world.source().ledger()->open_intervals().size(), 1U);
  world.server().disconnect_foreign();
  run_until_healthy(world);
}

// S23: what that client acknowledged ahead of the binlog does not outlive its connection.
TEST(Safety, S23_WhatASecondAckerAcknowledgedAheadIsForgotten) {
  World world(script());
  run_until_semisync(world);
  world.run_for(2 * kNanosPerSecond);
  world.server().connect_foreign();
  world.run_until([&] { return world.source().fallback_state() == FallbackState::foreign_acker; },
                  200 * kMs, "FOREIGN_ACKER");
  world.server().acknowledge_ahead(std::uint64_t{1} << 30);
  world.server().disconnect_foreign();
  run_until_semisync(world);
  const std::uint64_t foreign = answered(world, Answer::foreign);
  world.run_for(2 * kNanosPerSecond);
  EXPECT_EQ(answered(world, Answer::foreign), foreign) << "the server did not wait";
  run_until_healthy(world);
}

// S23: our own connection that reconnects is counted twice for a moment. That raises no alarm.
TEST(Safety, S23_OurOwnReconnectionIsNobodyElse) {
  World world(script());
  run_until_semisync(world);
  for (int i = 0; i < 8; ++i) {
    world.source().kill();
    world.source().start();
    world.run_for(1300 * kMs);
    ASSERT_NE(world.source().fallback_state(), FallbackState::foreign_acker);
  }
  run_until_healthy(world);
}

}  // namespace
}  // namespace binlane::sim
