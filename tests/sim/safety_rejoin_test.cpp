// The safety rule about sources that rejoin: S12. Every rejoin is checked (check_rejoined()); what
// a test says beside that is what the rule promises. Which mutant shows it stands above each.
#include "safety_script.h"

namespace binlane::sim {
namespace {

using namespace scripted;

std::size_t index_of(const World& world, const SourceHost& candidate) {
  for (std::size_t i = 0; i < world.replicas().size(); ++i) {
    if (world.replicas()[i].get() == &candidate.own()) return i;
  }
  return world.replicas().size();
}

// A source of in between, FENCED, to which the one of now has spoken.
SourceHost& run_until_deposed(World& world, SourceHost*& now) {
  SourceHost& old = run_until_promoted(world, 0);
  run_until_new_acks(world);
  now = &run_until_promoted(world, 1);
  run_until_new_acks(world);
  world.run_until(
      [&] { return old.deposed() && old.own().side().control().successor().has_value(); }, kSoonNs,
      "the old source to hear of the new one");
  return old;
}

// As it is, once the server takes no writes: commits that wait for a quorum are let go by its own
// timeout.
std::string run_until_rejoined_as_it_is(World& world, SourceHost& host) {
  std::string refusal = run_until_rejoined(world, host, {});
  for (int i = 0; i < 100 && refusal.find("takes writes") != std::string::npos; ++i) {
    world.run_for(100 * kMs);
    refusal = run_until_rejoined(world, host, {});
  }
  return refusal;
}

// S12: a source that was deposed rejoins as it is when it holds nothing beyond the seal; it then
// follows, and can become the source once more. Mutant: rejoined_with_tail.
TEST(Safety, S12_ADeposedSourceRejoins) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    WorldOptions options = script(seed);
    options.replicas = 4;
    World world(options);
    run_until_semisync(world);
    lose_source(world);
    SourceHost* now = nullptr;
    SourceHost& old = run_until_deposed(world, now);
    const std::string refusal = run_until_rejoined_as_it_is(world, old);
    if (!refusal.empty()) {
      // Commits that nobody else has: only a copy of the new source's helps.
      EXPECT_NE(refusal.find("event groups that no other host has"), std::string::npos) << refusal;
      ASSERT_EQ(run_until_rejoined(world, old, {.cut = false, .rebuilt = true}), "");
    }
    ReplicaHost& replica = *world.replicas()[index_of(world, old)];
    world.run_until([&] { return replica.stream().origin == now->promotion().new_origin(); },
                    kSoonNs, "the rejoined host to follow");
    run_until_new_acks(world);
    now->kill();
    now->server().kill();
    const SourceHost& again = run_until_promoted(world, index_of(world, old));
    ASSERT_TRUE(again.begun()) << again.view().refusal;
    run_until_new_acks(world);
  }
}

void run_until_first_deposed(World& world) {
  world.run_until(
      [&] {
        return world.source().deposed() &&
               world.source_own()->side().control().successor().has_value();
      },
      kSoonNs, "the first source to hear of the new one");
}

// Nothing is written or on its way any more.
void run_until_quiet(World& world) {
  run_until_semisync(world);
  world.server().busy = false;
  world.run_for(500 * kMs);
}

void expect_first_follows(World& world, const SourceHost& now) {
  world.run_until([&] { return world.source_own()->stream().origin == now.origin(); }, kSoonNs,
                  "the first source to follow");
  run_until_new_acks(world);
  world.run_until([&] { return world.source_own()->fed().file > 0; }, kSoonNs, "a feed");
}

// S12: after a planned promotion with nothing in flight the first source rejoins as it is, and
// holds all that the new one sends.
TEST(Safety, S12_TheFirstSourceRejoins) {
  WorldOptions options = script();
  options.source_may_rejoin = true;
  World world(options);
  run_until_quiet(world);
  const SourceHost& now = run_until_promoted(world, 0);
  ASSERT_TRUE(now.begun()) << now.view().refusal;
  run_until_new_acks(world);
  run_until_first_deposed(world);
  EXPECT_EQ(run_until_rejoined_as_it_is(world, world.source()), "");
  expect_first_follows(world, now);
}

// S12: the first source is killed within a rotation, when it has written a file's last event and
// not begun the next file. Nothing is lost by that, and no other host has more: it rejoins as it
// is.
TEST(Safety, S12_ASourceThatIsKilledWithinARotationRejoinsAsItIs) {
  WorldOptions options = script();
  options.source_may_rejoin = true;
  World world(options);
  run_until_quiet(world);
  world.run_until(
      [&] {
        world.server().flush_logs();
        const Position held{world.server().last_listed() + 1, 0};
        return !world.server().within_rotation() &&
               std::ranges::all_of(world.replicas(), [&](const auto& replica) {
                 return replica->journal()->durable() >= held;
               });
      },
      kSoonNs, "a rotation, of which all replicas have what is written");
  lose_source(world);
  const SourceHost& now = run_until_promoted(world, 0);
  ASSERT_TRUE(now.begun()) << now.view().refusal;
  run_until_new_acks(world);
  world.source().start();
  run_until_first_deposed(world);
  const std::string refusal = run_until_rejoined(world, world.source(), {});
  EXPECT_NE(refusal.find("nothing prevents the rejoin"), std::string::npos) << refusal;
  world.source().start_server();
  world.run_for(500 * kMs);
  EXPECT_EQ(run_until_rejoined_as_it_is(world, world.source()), "");
  expect_first_follows(world, now);
}

// S12: commits wait at the first source when it is lost. If its server was not started since, the
// tail is cut off, and the host rejoins as it is; otherwise it is rebuilt.
TEST(Safety, S12_TheFirstSourcesTailIsCutOffOrItIsRebuilt) {
  for (const bool started : {false, true}) {
    WorldOptions options = script();
    options.source_may_rejoin = true;
    World world(options);
    run_until_semisync(world);
    cut_off_all_replicas(world);
    world.run_until([&] { return world.server().waiting() > 2; }, kSoonNs, "a tail");
    lose_source(world);
    world.blocks.clear();
    const SourceHost& now = run_until_promoted(world, 0);
    ASSERT_TRUE(now.begun()) << now.view().refusal;
    run_until_new_acks(world);
    SourceHost& old = world.source();
    if (started) {
      old.start_server();
      world.run_for(500 * kMs);
      old.server().kill();
    }
    old.start();
    run_until_first_deposed(world);
    const std::string cut = run_until_rejoined(world, old, {.cut = true, .rebuilt = false});
    EXPECT_NE(cut.find(started ? "rebuild this server" : "the tail is cut off"), std::string::npos)
        << cut;
    old.start_server();
    EXPECT_EQ(started ? run_until_rejoined(world, old, {.cut = false, .rebuilt = true})
                      : run_until_rejoined_as_it_is(world, old),
              "");
    expect_first_follows(world, now);
  }
}

// What becomes of a deposed source's server before its operator cuts the tail off.
enum class Start : std::uint8_t { none, seen, unseen };  // by its binlaned

// S12: commits that wait when the source is lost are its tail, which nobody else has. A server that
// is stopped and was not started since is cut back to the seal, and then rejoins; one that was
// started has committed them, whether its binlaned was there or not. Mutants: rejoined_with_tail,
// committed_tail_cut.
TEST(Safety, S12_ATailIsCutOffOnlyBeforeTheServerHasCommittedIt) {
  for (const Start start : {Start::none, Start::seen, Start::unseen}) {
    WorldOptions options = script();
    options.replicas = 4;
    World world(options);
    run_until_semisync(world);
    lose_source(world);
    SourceHost& old = run_until_promoted(world, 0);
    run_until_new_acks(world);
    // Nobody hears it any more, and it is killed while commits wait.
    const std::uint32_t address = old.endpoint().ipv4;
    world.blocks = {{address, 0}, {0, address}};
    world.run_until([&] { return old.server().waiting() > 2; }, kSoonNs, "a tail");
    old.server().kill();
    SourceHost& now = run_until_promoted(world, 1);
    ASSERT_TRUE(now.begun()) << now.view().refusal;
    run_until_new_acks(world);
    world.blocks.clear();
    const auto run_server = [&] {
      old.server().start();
      world.run_for(500 * kMs);
    };
    if (start == Start::seen) run_server();
    world.run_until(
        [&] { return old.deposed() && old.own().side().control().successor().has_value(); },
        kSoonNs, "the old source to hear of the new one");
    if (start == Start::unseen) {
      old.kill();
      run_server();
    }
    if (start != Start::none) old.server().kill();
    if (!old.up()) old.start();
    ASSERT_TRUE(old.deposed());
    const std::string cut = run_until_rejoined(world, old, {.cut = true, .rebuilt = false});
    if (start != Start::none) {
      EXPECT_NE(cut.find("rebuild this server"), std::string::npos) << cut;
      continue;
    }
    EXPECT_NE(cut.find("the tail is cut off"), std::string::npos) << cut;
    old.server().start();
    EXPECT_EQ(run_until_rejoined(world, old, {}), "");
  }
}

// S12: where commits wait AFTER_COMMIT the engine has them before a quorum does, so a tail of such
// commits is not cut off, although the server was not started since. Once a quorum has all that
// waited there, the wait point of now decides. Mutant: committed_waits_cut.
TEST(Safety, S12_ATailThatWaitedAfterCommitIsNotCutOff) {
  for (const bool back : {false, true}) {
    WorldOptions options = script();
    options.replicas = 4;
    World world(options);
    run_until_semisync(world);
    lose_source(world);
    SourceHost& old = run_until_promoted(world, 0);
    run_until_new_acks(world);
    const auto set_wait_point = [&](WaitPoint point) {
      const Status set =
          old.change([point](SourceHostOptions& changed) { changed.wait_point = point; });
      ASSERT_TRUE(set.is_ok()) << set.text();
    };
    set_wait_point(WaitPoint::after_commit);
    run_until_new_acks(world);
    if (back) set_wait_point(WaitPoint::after_sync);
    world.run_for(300 * kMs);
    const std::uint32_t address = old.endpoint().ipv4;
    world.blocks = {{address, 0}, {0, address}};
    world.run_until([&] { return old.server().waiting() > 2; }, kSoonNs, "a tail");
    old.server().kill();
    const SourceHost& now = run_until_promoted(world, 1);
    ASSERT_TRUE(now.begun()) << now.view().refusal;
    world.blocks.clear();
    world.run_until(
        [&] { return old.deposed() && old.own().side().control().successor().has_value(); },
        kSoonNs, "the old source to hear of the new one");
    const std::string cut = run_until_rejoined(world, old, {.cut = true, .rebuilt = false});
    EXPECT_NE(cut.find(back ? "the tail is cut off" : "AFTER_COMMIT"), std::string::npos) << cut;
  }
}

// S12: a source whose machine loses power while a group is being synced comes back with less than
// its replicas have, and what they have was sealed. It has to be rebuilt. Mutant:
// rejoined_uncompared.
TEST(Safety, S12_ASourceThatLacksWhatWasSealedIsRebuilt) {
  int lacking = 0;
  for (std::uint64_t seed = 1; seed <= 6 && lacking == 0; ++seed) {
    WorldOptions options = script(seed);
    options.replicas = 4;
    World world(options);
    run_until_semisync(world);
    lose_source(world);
    SourceHost& old = run_until_promoted(world, 0);
    run_until_new_acks(world);
    const auto held = [&] { return world.replicas()[1]->journal()->durable(); };
    world.run_until([&] { return held() > old.binlogs().durable_until(); }, kSoonNs,
                    "a replica that has what its source has not synced");
    old.cut_power(world.random());
    SourceHost& now = run_until_promoted(world, 1);
    ASSERT_TRUE(now.begun()) << now.view().refusal;
    run_until_new_acks(world);
    const Position seal = now.promotion().sealed_at();
    const auto& file = old.binlogs().file(seal.file);
    if (file.data.size() >= seal.offset) continue;
    ++lacking;
    old.start_machine();
    world.run_until(
        [&] { return old.deposed() && old.own().side().control().successor().has_value(); },
        kSoonNs, "the old source to hear of the new one");
    const std::string refusal = run_until_rejoined_as_it_is(world, old);
    EXPECT_NE(refusal.find("differs from the sealed stream"), std::string::npos) << refusal;
  }
  EXPECT_EQ(lacking, 1);
}

}  // namespace
}  // namespace binlane::sim
