// The shared page's operations in every order, with a death of either side at every step.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "unit/include/interleavings.h"

namespace binlane::shim_page {
namespace {

constexpr int kServer = 1;
constexpr int kNextServer = 2;
constexpr int kDaemon = 3;
constexpr int kNextDaemon = 4;
constexpr std::uint64_t kNapNs = 1;

// A wait that time limits, and that looks `spins` times at once again before it sleeps.
struct ModelStop {
  ModelAtomics& atomics;
  Memory& memory;
  std::uint64_t& spins;

  bool now() { return atomics.load(memory.time_is_over) != 0; }
  bool spin() { return spins > 0 && spins-- > 0; }
  std::uint64_t nap_ns() { return kNapNs; }
};

using Outcome = std::optional<std::string>;

std::string name_of(WaitEnd end) {
  switch (end) {
    case WaitEnd::quorum:
      return "quorum";
    case WaitEnd::not_asked:
      return "not asked";
    case WaitEnd::other_incarnation:
      return "other incarnation";
    case WaitEnd::stopped:
      return "stopped";
  }
  return "?";
}

Place at(std::uint64_t offset) {
  return {1, 1, offset};
}
// An entry that shows if it is torn: all its words tell the same number.
Entry marked(std::uint32_t number) {
  return {{number, number, number}, {State::wait, WaitPoint::unsaid, 0, number}};
}

Outcome wait(ModelAtomics& atomics, Memory& memory, const Place& place, std::uint64_t& spins) {
  ModelStop stop{atomics, memory, spins};
  const std::optional<WaitEnd> end = wait_turn(atomics, memory.page, place, stop);
  return end ? Outcome(name_of(*end)) : std::nullopt;
}

ModelThread waiter(const std::string& name, const Place& place, std::uint64_t spins = 0,
                   Fault fault = Fault::none) {
  const auto turn = [place](ModelAtomics& atomics, Memory& memory, std::uint64_t& kept) {
    return wait(atomics, memory, place, kept);
  };
  return {name, kServer, turn, spins, 0, fault};
}

// Answers with these entries, one after the other, and ends.
ModelThread answering(const std::string& name, int process, std::vector<Entry> entries,
                      int begins_after = 0, Fault fault = Fault::none) {
  const auto turn = [entries = std::move(entries), process](ModelAtomics& atomics, Memory& memory,
                                                            std::uint64_t& made) -> Outcome {
    if (made == 0) begin_daemon(atomics, memory.page, static_cast<std::uint64_t>(process));
    answer(atomics, memory.page, entries[made]);
    ++made;
    return made == entries.size() ? Outcome("done") : std::nullopt;
  };
  return {name, process, turn, 0, begins_after, fault};
}

// Has a quorum of everything at once, until time is over: answers what the doorbell says.
ModelThread echoing(const std::string& name, int process, int begins_after = 0) {
  const auto turn = [process](ModelAtomics& atomics, Memory& memory,
                              std::uint64_t& has_begun) -> Outcome {
    if (has_begun == 0) begin_daemon(atomics, memory.page, static_cast<std::uint64_t>(process));
    has_begun = 1;
    const auto rung = read(atomics, memory.page.doorbell);
    if (!rung) return std::nullopt;
    if (rung->entry.place.file != 0) answer(atomics, memory.page, rung->entry);
    if (atomics.load(memory.time_is_over) != 0) return "done";
    sleep_until_rung(atomics, memory.page, rung->sequence, kNapNs);
    return std::nullopt;
  };
  return {name, process, turn, 0, begins_after};
}

// Takes the page, writes a binlog up to {1, offset}, and waits for a quorum of it. Its outcome
// begins with its incarnation.
ModelThread serving(const std::string& name, int process, std::uint64_t offset,
                    int begins_after = 0) {
  const auto turn = [process, offset](ModelAtomics& atomics, Memory& memory,
                                      std::uint64_t& incarnation) -> Outcome {
    if (incarnation == 0) {
      const Place begin = begin_server(atomics, memory.page, static_cast<std::uint64_t>(process));
      ring(atomics, memory.page, next_place(begin, 1, offset));
      incarnation = begin.incarnation;
      return std::nullopt;
    }
    std::uint64_t spins = 0;
    const Place place{static_cast<std::uint32_t>(incarnation), 1, offset};
    const Outcome end = wait(atomics, memory, place, spins);
    return end ? std::to_string(incarnation) + " " + *end : end;
  };
  return {name, process, turn, 0, begins_after};
}

// Whether a quorum had the place at any time, by what the words say and not by the page's own code.
bool was_answered(const Interleavings& model, const Place& place) {
  for (const Entry& entry : model.entries(model.page().answer))
    if (entry.place.incarnation == place.incarnation && entry.place.file == place.file &&
        entry.place.offset >= place.offset)
      return true;
  return false;
}

// --- torn entries --------------------------------------------------------------------------------

// Looks three times. Its outcome is three digits, each one more than the number that it saw.
ModelThread reader(Fault fault) {
  const auto turn = [](ModelAtomics& atomics, Memory& memory, std::uint64_t& seen) -> Outcome {
    const auto reading = read(atomics, memory.page.answer);
    if (!reading) return std::nullopt;
    const std::uint32_t number = reading->entry.place.file;
    if (number != 0 && reading->entry != marked(number)) return "torn";
    if (number + 1 < seen % 10) return "back";
    seen = seen * 10 + number + 1;
    return seen >= 100 ? Outcome(std::to_string(seen)) : std::nullopt;
  };
  return {"reader", kServer, turn, 0, 0, fault};
}

std::string find_torn(Interleavings& model) {
  model.deaths = 1;
  model.at_end = [](const Interleavings& now) {
    const std::string& seen = now.outcome(0);
    return seen == "torn" || seen == "back" ? "a reading is " + seen : "";
  };
  return model.run();
}

std::vector<ModelThread> writers_and_reader(Fault fault) {
  return {reader(fault), answering("daemon", kDaemon, {marked(1), marked(2), marked(3)}),
          answering("next daemon", kNextDaemon, {marked(4), marked(5)}, kDaemon)};
}

TEST(PageModel, NoReadingIsTornNorGoesBackWhoeverDies) {
  Interleavings model(writers_and_reader(Fault::none));
  EXPECT_EQ(find_torn(model), "");
  // They did meet.
  EXPECT_GT(model.count(0, "111"), 0U);
  EXPECT_GT(model.count(0, "246"), 0U);
  EXPECT_GT(model.count(0, "125"), 0U);
  EXPECT_GT(model.states(), 1000U);
}

TEST(PageModel, AReaderThatDoesNotLookTwiceIsFound) {
  Interleavings model(writers_and_reader(Fault::stale_second_look));
  EXPECT_NE(find_torn(model), "");
}

// --- lost wake-ups -------------------------------------------------------------------------------

const std::string kQuorum = "quorum";

// Two waiters, and answers that release first one and then the other.
std::string find_lost_wake_up(Fault of_waiters, Fault of_daemon) {
  Interleavings model({waiter("first", at(1), 1, of_waiters),
                       waiter("second", at(2), 0, of_waiters),
                       answering("daemon", kDaemon, {{at(1), {}}, {at(2), {}}}, 0, of_daemon)});
  model.early_naps = 1;
  model.when_quiet = [](const Interleavings& now) {
    return now.sleeps(0) || now.sleeps(1) ? "a waiter sleeps although a quorum has its place" : "";
  };
  model.at_end = [](const Interleavings& now) {
    return now.outcome(0) == kQuorum && now.outcome(1) == kQuorum ? "" : "a wait was not released";
  };
  return model.run();
}

TEST(PageModel, NoWakeUpIsLost) {
  EXPECT_EQ(find_lost_wake_up(Fault::none, Fault::none), "");
}

TEST(PageModel, ASleepWithoutAComparisonIsFound) {
  EXPECT_NE(find_lost_wake_up(Fault::sleep_unconditional, Fault::none), "");
}

// Why the stores are sequentially consistent: a plain store of x86 may pass the load after it.
TEST(PageModel, AStoreThatIsSeenLateIsFound) {
  EXPECT_NE(find_lost_wake_up(Fault::none, Fault::buffered_stores), "");
}

TEST(PageModel, WhenTheDaemonDegradesEverybodyGoesOn) {
  Interleavings model(
      {waiter("first", at(1)), waiter("second", at(2)),
       answering("daemon", kDaemon,
                 {{at(1), {State::wait, {}, 0, 0}}, {at(1), {State::do_not_wait, {}, 0, 0}}})});
  model.when_quiet = [](const Interleavings&) { return "somebody sleeps"; };
  model.at_end = [](const Interleavings& now) {
    if (now.outcome(1) != "not asked") return "the second: " + now.outcome(1);
    return now.outcome(0) == kQuorum ? "" : "the first: " + now.outcome(0);
  };
  EXPECT_EQ(model.run(), "");
}

TEST(PageModel, TheDaemonMissesNoRing) {
  for (const Fault fault : {Fault::none, Fault::buffered_stores}) {
    const auto turn = [](ModelAtomics& atomics, Memory& memory, std::uint64_t& rings) -> Outcome {
      ring(atomics, memory.page, at(++rings));
      return rings == 3 ? Outcome("done") : std::nullopt;
    };
    const ModelThread server{"server", kServer, turn, 0, 0, fault};
    Interleavings model({server, echoing("daemon", kDaemon)});
    model.early_naps = 1;
    model.when_quiet = [](const Interleavings& now) {
      const Entry answer = Interleavings::in_force(now.page().answer);
      return answer.place == at(3) ? "" : "the daemon sleeps and has not seen the last ring";
    };
    EXPECT_EQ(model.run().empty(), fault == Fault::none);
  }
}

// --- deaths --------------------------------------------------------------------------------------

// Two waiters, and a daemon that may die anywhere, with or without another one after it.
Interleavings with_daemons(bool is_replaced) {
  std::vector<ModelThread> threads{waiter("first", at(1)), waiter("second", at(2)),
                                   answering("daemon", kDaemon, {{at(1), {}}, {at(2), {}}})};
  if (is_replaced) threads.push_back(answering("next daemon", kNextDaemon, {{at(2), {}}}, kDaemon));
  Interleavings model(std::move(threads));
  model.deaths = 1;
  model.when_quiet = [](const Interleavings& now) {
    return now.anybody_died() ? "" : "somebody sleeps";
  };
  model.at_end = [](const Interleavings& now) -> std::string {
    for (const std::size_t each : {0, 1}) {
      const std::string& outcome = now.outcome(each);
      if (outcome == kQuorum && !was_answered(now, at(each + 1)))
        return "a wait was released without a quorum";
      if (outcome == "stopped" && was_answered(now, at(each + 1)))
        return "a wait ended by its time although a quorum had its place";
    }
    return "";
  };
  return model;
}

TEST(PageModel, ADaemonThatDiesAnywhereLeavesNobodyAsleepForEver) {
  Interleavings model = with_daemons(false);
  EXPECT_EQ(model.run(), "");
  EXPECT_GT(model.count(0, "stopped"), 0U);
  EXPECT_GT(model.count(0, kQuorum), 0U);
}

TEST(PageModel, TheDaemonAfterItReleasesEverybody) {
  Interleavings model = with_daemons(true);
  EXPECT_EQ(model.run(), "");
  EXPECT_EQ(model.count(1, "stopped"), 0U);
  EXPECT_GT(model.count(1, kQuorum), 0U);
}

TEST(PageModel, EitherSideDiesAnywhereAndTheOtherGoesOn) {
  Interleavings model({serving("server", kServer, 2), echoing("daemon", kDaemon),
                       echoing("next daemon", kNextDaemon, kDaemon)});
  model.deaths = 1;
  model.when_quiet = [](const Interleavings& now) {
    return now.sleeps(0) && !now.anybody_died() ? "the server sleeps" : "";
  };
  model.at_end = [](const Interleavings& now) {
    const std::string& outcome = now.outcome(0);
    if (outcome == "1 quorum" && !was_answered(now, at(2))) return "released without a quorum";
    return outcome.empty() && !now.anybody_died() ? "the server did not end" : "";
  };
  EXPECT_EQ(model.run(), "");
  EXPECT_GT(model.count(0, "1 quorum"), 0U);
  EXPECT_EQ(model.count(0, "1 stopped"), 0U) << "the next daemon answers";
}

// The first server has written {1, 2}, and dies or ends. The next one has only written {1, 1}, for
// instance after RESET BINARY LOGS. What a quorum had of the first one must not release it.
TEST(PageModel, AServersQuorumReleasesNoOtherServer) {
  Interleavings model({serving("server", kServer, 2),
                       serving("next server", kNextServer, 1, kServer),
                       echoing("daemon", kDaemon)});
  model.deaths = 1;
  model.at_end = [](const Interleavings& now) -> std::string {
    const std::string& outcome = now.outcome(1);
    if (outcome.empty() || outcome.substr(2) != kQuorum) return "";
    const auto incarnation = static_cast<std::uint32_t>(std::stoul(outcome));
    return was_answered(now, {incarnation, 1, 1}) ? "" : "released by another server's quorum";
  };
  EXPECT_EQ(model.run(), "");
  EXPECT_GT(model.count(1, "2 quorum"), 0U);
  EXPECT_GT(model.count(1, "1 quorum"), 0U) << "the first one died before it had an incarnation";
}

}  // namespace
}  // namespace binlane::shim_page
