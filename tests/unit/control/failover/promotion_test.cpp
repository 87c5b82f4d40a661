// Promotion: its verdicts one by one, and compared with a model that knows which bytes were
// acknowledged.
#include "control/failover/promotion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>

namespace binlane::promotion_test {

Uuid uuid(std::uint8_t number) {
  Uuid id;
  id.bytes[0] = number;
  id.bytes[15] = 0x77;
  return id;
}

PromotionRule any(std::uint32_t count, std::vector<std::string> names,
                  AckLevel level = AckLevel::durable) {
  PromotionRule rule;
  rule.text = "ANY " + std::to_string(count) + " (";
  for (const std::string& name : names) rule.text += name + " ";
  rule.text += ")";
  rule.rule.level = level;
  rule.rule.clause_count = 1;
  rule.rule.clauses[0] = {(ReplicaSet{1} << names.size()) - 1, count};
  rule.members = std::move(names);
  return rule;
}

const PromotionStream kStream{uuid(100), 1};

PromotionLog log_of(const std::string& name, std::uint8_t journal, std::uint64_t end,
                    std::vector<PromotionRule> rules, Epoch epoch = {1, 3}) {
  PromotionLog log;
  log.name = name;
  log.journal_id = uuid(journal);
  log.stream = kStream;
  log.epoch = epoch;
  log.end = {1, end};
  log.rules = std::move(rules);
  return log;
}

PromotionAnswer answer_of(PromotionLog log, LogRelation relation, std::uint64_t common = 0) {
  return {std::move(log), relation, {1, common}};
}

const PromotionRule kAnyOne = any(1, {"a", "b", "c"});
const PromotionRule kAnyTwo = any(2, {"a", "b", "c"});

Promotion promotion(const PromotionRule& rule, std::uint64_t end = 100) {
  return Promotion(log_of("a", 1, end, {rule}), {1, end - 10}, {"b", "c"});
}

TEST(Promotion, TermIsOneMoreThanAnyPromise) {
  EXPECT_EQ(Promotion::next_term(1, 0), 2U);
  EXPECT_EQ(Promotion::next_term(3, 7), 8U);
  EXPECT_EQ(Promotion::next_term(kMaxTerm - 1, 0), kMaxTerm);
  EXPECT_EQ(Promotion::next_term(kMaxTerm, 1), std::nullopt);
}

TEST(Promotion, AnyOneNeedsEverybody) {
  Promotion p = promotion(kAnyOne);
  EXPECT_EQ(p.verdict(), PromotionVerdict::open);
  EXPECT_TRUE(p.on_answer(answer_of(log_of("b", 2, 100, {kAnyOne}), LogRelation::same)));
  EXPECT_EQ(p.verdict(), PromotionVerdict::open);
  EXPECT_NE(p.reason().find("c: it has not answered"), std::string::npos) << p.reason();
  EXPECT_TRUE(p.on_answer(answer_of(log_of("c", 3, 60, {kAnyOne}), LogRelation::prefix)));
  EXPECT_EQ(p.verdict(), PromotionVerdict::proven);
  EXPECT_EQ(p.sealed_at(), (Position{1, 90}));
}

TEST(Promotion, AnyTwoOfThreeNeedsOnePeer) {
  Promotion p = promotion(kAnyTwo);
  p.on_answer(answer_of(log_of("c", 3, 60, {kAnyTwo}), LogRelation::prefix));
  EXPECT_EQ(p.verdict(), PromotionVerdict::proven);
}

TEST(Promotion, ClosingRefusesWhatIsOpen) {
  Promotion p = promotion(kAnyOne);
  p.on_answer(answer_of(log_of("b", 2, 100, {kAnyOne}), LogRelation::same));
  p.close();
  EXPECT_EQ(p.verdict(), PromotionVerdict::refused);
  EXPECT_TRUE(p.better_candidate().empty());
}

TEST(Promotion, StrangersAreNotHeard) {
  Promotion p = promotion(kAnyTwo);
  EXPECT_FALSE(p.on_answer(answer_of(log_of("x", 9, 100, {kAnyTwo}), LogRelation::same)));
  EXPECT_FALSE(p.on_refusal("x", "no"));
  EXPECT_EQ(p.verdict(), PromotionVerdict::open);
}

TEST(Promotion, RefusalsCompleteAndDoNotCount) {
  Promotion p = promotion(kAnyOne);
  p.on_answer(answer_of(log_of("b", 2, 100, {kAnyOne}), LogRelation::same));
  p.on_answer(answer_of(log_of("c", 3, 100, {kAnyOne}), LogRelation::same));
  ASSERT_EQ(p.verdict(), PromotionVerdict::proven);
  // c promised itself to another candidate after its answer.
  EXPECT_TRUE(p.on_refusal("c", "term 9 is promised to somebody else"));
  EXPECT_TRUE(p.complete());
  EXPECT_EQ(p.verdict(), PromotionVerdict::refused);
  EXPECT_NE(p.reason().find("term 9"), std::string::npos) << p.reason();
}

// It is fetched only after every rule is fenced: a peer that has not answered may hold another log.
TEST(Promotion, ALongerLogIsFetched) {
  Promotion p = promotion(kAnyOne);
  p.on_answer(answer_of(log_of("b", 2, 120, {kAnyOne}), LogRelation::longer));
  EXPECT_EQ(p.verdict(), PromotionVerdict::open);
  Promotion closed = p;
  closed.close();
  EXPECT_EQ(closed.verdict(), PromotionVerdict::refused);
  EXPECT_EQ(closed.better_candidate(), "b");
  p.on_answer(answer_of(log_of("c", 3, 150, {kAnyOne}), LogRelation::longer));
  EXPECT_EQ(p.verdict(), PromotionVerdict::lesser);
  EXPECT_EQ(p.better_candidate(), "c");
  EXPECT_EQ(p.better_end(), (Position{1, 150}));
}

TEST(Promotion, OfDifferingLogsTheLaterSessionWins) {
  Promotion later = promotion(kAnyTwo);
  later.on_answer(answer_of(log_of("b", 2, 200, {kAnyTwo}, {1, 2}), LogRelation::differs, 70));
  EXPECT_EQ(later.verdict(), PromotionVerdict::proven);
  Promotion earlier = promotion(kAnyTwo);
  earlier.on_answer(answer_of(log_of("b", 2, 80, {kAnyTwo}, {1, 4}), LogRelation::differs, 70));
  EXPECT_EQ(earlier.verdict(), PromotionVerdict::lesser);
  EXPECT_EQ(earlier.better_candidate(), "b");
  Promotion equal = promotion(kAnyTwo);
  equal.on_answer(answer_of(log_of("b", 2, 80, {kAnyTwo}, {1, 3}), LogRelation::differs, 70));
  EXPECT_EQ(equal.verdict(), PromotionVerdict::refused);
  EXPECT_TRUE(equal.better_candidate().empty());
}

// A peer may have been told that half a group is released before the candidate was told that.
TEST(Promotion, NothingThatWasReleasedLiesBehindTheSeal) {
  const PromotionRule rule = any(2, {"a", "b"});
  PromotionLog own = log_of("a", 1, 100, {rule});
  own.released = {1, 80};
  Promotion p(own, {1, 90}, {"b", "c"});
  PromotionLog peer = log_of("b", 2, 100, {rule});
  peer.released = {1, 85};
  p.on_answer(answer_of(peer, LogRelation::same));
  ASSERT_EQ(p.verdict(), PromotionVerdict::proven);
  EXPECT_EQ(p.sealed_at(), (Position{1, 90}));
  peer.released = {1, 95};
  p.on_answer(answer_of(peer, LogRelation::same));
  EXPECT_EQ(p.sealed_at(), (Position{1, 95}));
  // What c was told is released without a quorum does not move the seal.
  PromotionLog exposed = log_of("c", 3, 300, {rule}, {1, 2});
  exposed.released = {1, 250};
  p.on_answer(answer_of(exposed, LogRelation::differs, 70));
  ASSERT_EQ(p.verdict(), PromotionVerdict::proven);
  EXPECT_EQ(p.sealed_at(), (Position{1, 95}));
}

// Nor does what a replica was told that nobody can ask: it may have completed a quorum for half a
// group, together with those who hold as much. Mutant: unseen_release_ignored.
TEST(Promotion, NothingThatAnUninspectedReplicaMayHaveReleasedLiesAfterTheSeal) {
  const auto seal_of = [](const PromotionRule& rule) {
    Promotion p(log_of("a", 1, 100, {rule}), {1, 90}, {"b", "c"});
    p.on_answer(answer_of(log_of("b", 2, 95, {rule}), LogRelation::prefix));
    p.on_refusal("c", "it is down");
    EXPECT_EQ(p.verdict(), PromotionVerdict::proven);
    return p.sealed_at();
  };
  EXPECT_EQ(seal_of(kAnyTwo), (Position{1, 100}));
  EXPECT_EQ(seal_of(any(3, {"a", "b", "c"})), (Position{1, 95}));
  EXPECT_EQ(seal_of(any(2, {"a", "b"})), (Position{1, 90}));
}

// A replica that lags, but was connected after the source's last restart, is no better because of
// that.
TEST(Promotion, ALaterSessionAloneDoesNotWin) {
  Promotion p = promotion(kAnyTwo);
  p.on_answer(answer_of(log_of("b", 2, 50, {kAnyTwo}, {1, 9}), LogRelation::prefix));
  EXPECT_EQ(p.verdict(), PromotionVerdict::proven);
}

TEST(Promotion, DamagedLearnersAndBlanksAreNotInspected) {
  for (int kind = 0; kind < 4; ++kind) {
    Promotion p = promotion(kAnyTwo);
    PromotionLog log = log_of("b", 2, 100, {kAnyTwo});
    if (kind == 0) log.damaged = true;
    if (kind == 1) log.learner = true;
    if (kind == 2) log.stream = {};
    if (kind == 3) log.journal_id = {};
    p.on_answer(answer_of(log, LogRelation::same));
    EXPECT_EQ(p.verdict(), PromotionVerdict::open) << kind;
    p.on_refusal("c", "down");
    EXPECT_EQ(p.verdict(), PromotionVerdict::refused) << kind;
  }
}

TEST(Promotion, ADamagedCandidateIsRefusedAtOnce) {
  PromotionLog own = log_of("a", 1, 100, {kAnyTwo});
  own.damaged = true;
  EXPECT_EQ(Promotion(own, {1, 100}, {"b", "c"}).verdict(), PromotionVerdict::refused);
}

TEST(Promotion, OneJournalCountsOnce) {
  Promotion p = promotion(any(3, {"a", "b", "c", "d", "e"}));
  p.on_answer(answer_of(log_of("b", 2, 100, {kAnyOne}), LogRelation::same));
  p.on_answer(answer_of(log_of("c", 2, 100, {kAnyOne}), LogRelation::same));
  EXPECT_EQ(p.verdict(), PromotionVerdict::refused);
  EXPECT_NE(p.reason().find("same journal"), std::string::npos) << p.reason();
  Promotion own = promotion(kAnyTwo);
  own.on_answer(answer_of(log_of("b", 1, 100, {kAnyTwo}), LogRelation::same));
  EXPECT_EQ(own.verdict(), PromotionVerdict::open);
}

TEST(Promotion, EveryRuleFoundMustBeFenced) {
  Promotion p = promotion(kAnyTwo);
  // b was in a session under a rule that the candidate has not heard of.
  p.on_answer(answer_of(log_of("b", 2, 60, {kAnyTwo, kAnyOne}), LogRelation::prefix));
  EXPECT_EQ(p.verdict(), PromotionVerdict::open);
  p.close();
  EXPECT_EQ(p.verdict(), PromotionVerdict::refused);
  EXPECT_NE(p.reason().find(kAnyOne.text), std::string::npos) << p.reason();
}

TEST(Promotion, WithoutARuleNothingIsProven) {
  Promotion p(log_of("a", 1, 100, {}), {1, 100}, {"b"});
  p.on_answer(answer_of(log_of("b", 2, 100, {}), LogRelation::same));
  EXPECT_EQ(p.verdict(), PromotionVerdict::refused);
}

TEST(Promotion, LevelReceivedProvesNothing) {
  Promotion p = promotion(any(2, {"a", "b", "c"}, AckLevel::received));
  p.on_answer(answer_of(log_of("b", 2, 100, {}), LogRelation::same));
  p.on_answer(answer_of(log_of("c", 3, 100, {}), LogRelation::same));
  EXPECT_EQ(p.verdict(), PromotionVerdict::refused);
}

TEST(Promotion, AnOlderStreamIsInspectedAndItsRulesAreOver) {
  PromotionLog own = log_of("a", 1, 100, {kAnyTwo}, {2, 1});
  own.stream = {uuid(101), 2};
  Promotion p(own, {1, 100}, {"b", "c"});
  p.on_answer(answer_of(log_of("b", 2, 900, {kAnyOne}), LogRelation::prefix));
  EXPECT_EQ(p.verdict(), PromotionVerdict::proven);
}

TEST(Promotion, ANewerStreamWins) {
  Promotion p = promotion(kAnyTwo);
  PromotionLog newer = log_of("b", 2, 5, {kAnyTwo}, {2, 1});
  newer.stream = {uuid(101), 2};
  p.on_answer(answer_of(newer, LogRelation::same));
  EXPECT_EQ(p.verdict(), PromotionVerdict::refused);
  EXPECT_EQ(p.better_candidate(), "b");
}

TEST(Promotion, AnotherStreamOfTheSameTermDoesNotCount) {
  Promotion p = promotion(kAnyTwo);
  PromotionLog other = log_of("b", 2, 100, {kAnyTwo});
  other.stream = {uuid(102), 1};
  p.on_answer(answer_of(other, LogRelation::same));
  EXPECT_EQ(p.verdict(), PromotionVerdict::open);
}

TEST(Promotion, TheProofNamesEverybody) {
  Promotion p = promotion(kAnyTwo);
  p.on_answer(answer_of(log_of("b", 2, 60, {kAnyTwo}), LogRelation::prefix));
  p.on_refusal("c", "no route");
  std::string text;
  for (const std::string& line : p.proof()) text += line + "\n";
  for (const char* word : {"candidate a", "peer b", "fenced and inspected", "peer c", "no route",
                           "rule ANY 2", "proven:"})
    EXPECT_NE(text.find(word), std::string::npos) << word << "\n" << text;
}

// --- against a model ----------------------------------------------------------------------------

// A source of one term with its restarts and what it loses in each, replicas that come and go, and
// the bytes that clients were told are committed.
struct Model {
  static constexpr std::size_t kReplicas = 3;
  struct Replica {
    std::vector<int> log;
    std::uint32_t epoch = 0;
    // The epoch of the last byte that it received, for the comparison that would be wrong.
    std::uint32_t last_byte_epoch = 0;
    bool in_session = false;
    bool learner = false;
    std::size_t caught_up_at = 0;
    std::uint8_t journal = 0;
    bool known = false;    // it has had a session
    bool fenced = false;   // by a candidate, so it serves the source no more
    bool fetched = false;  // its last session was with a donor
  };
  std::mt19937 random;
  std::uint32_t wanted;
  std::vector<int> file;
  std::size_t synced = 0;
  std::size_t safe = 0;  // acknowledged to clients: synced, and durable on a quorum
  std::uint32_t incarnation = 1;
  int next_byte = 1;
  std::uint8_t next_journal = 1;
  std::array<Replica, kReplicas> replicas;

  Model(std::uint32_t seed, std::uint32_t wanted) : random(seed), wanted(wanted) {
    for (Replica& replica : replicas) replica.journal = next_journal++;
  }
  std::size_t pick(std::size_t bound) { return random() % bound; }

  void join(Replica& replica) {
    // The handshake: cut at the first byte that differs, then the epoch is recorded.
    std::size_t same = 0;
    while (same < replica.log.size() && same < file.size() && replica.log[same] == file[same])
      ++same;
    if (!replica.known) {
      replica.learner = true;
      replica.caught_up_at = file.size();
      replica.known = true;
    }
    replica.log.resize(same);
    replica.epoch = incarnation;
    replica.in_session = true;
    settle(replica);
  }
  static void settle(Replica& replica) {
    if (replica.log.size() >= replica.caught_up_at) replica.learner = false;
  }
  void count() {
    std::array<std::size_t, kReplicas> marks{};
    for (std::size_t i = 0; i < kReplicas; ++i)
      marks[i] = replicas[i].in_session ? replicas[i].log.size() : 0;
    std::sort(marks.begin(), marks.end(), std::greater<>());
    safe = std::max(safe, std::min(synced, marks[wanted - 1]));
  }
  void step() {
    Replica& replica = replicas[pick(kReplicas)];
    switch (pick(8)) {
      case 0:
      case 1:
        file.push_back(next_byte++);
        break;
      case 2:
        synced = file.size();
        break;
      case 3:
        if (!replica.in_session && !replica.fenced) join(replica);
        break;
      case 4:
      case 5:
        if (replica.in_session && replica.log.size() < file.size()) {
          replica.log.push_back(file[replica.log.size()]);
          replica.last_byte_epoch = incarnation;
          settle(replica);
        }
        break;
      case 6:
        replica.in_session = false;
        if (pick(12) == 0 && !replica.fenced) {  // its disk was replaced
          replica = {};
          replica.journal = next_journal++;
        }
        break;
      case 7:
        if (pick(3) != 0) break;
        // The server restarts, and loses some of what it had not synced.
        file.resize(synced + pick(file.size() - synced + 1));
        ++incarnation;
        for (Replica& other : replicas) other.in_session = false;
        synced = file.size();
        break;
    }
    count();
  }

  PromotionLog log(std::size_t index, const PromotionRule& rule) const {
    const Replica& replica = replicas[index];
    PromotionLog log =
        log_of(std::string(1, static_cast<char>('a' + index)), replica.journal, replica.log.size(),
               {}, replica.fetched ? Epoch{2, 0} : Epoch{1, replica.epoch});
    log.learner = replica.learner;
    if (!replica.known) log.stream = {};
    if (replica.known) log.rules = {rule};
    return log;
  }
  LogRelation relation(std::size_t peer, std::size_t candidate) const {
    const auto& theirs = replicas[peer].log;
    const auto& ours = replicas[candidate].log;
    const std::size_t shorter = std::min(theirs.size(), ours.size());
    if (!std::equal(theirs.begin(), theirs.begin() + static_cast<std::ptrdiff_t>(shorter),
                    ours.begin()))
      return LogRelation::differs;
    if (theirs.size() == ours.size()) return LogRelation::same;
    return theirs.size() < ours.size() ? LogRelation::prefix : LogRelation::longer;
  }
  std::uint64_t common(std::size_t peer, std::size_t candidate) const {
    const auto& theirs = replicas[peer].log;
    const auto& ours = replicas[candidate].log;
    const std::size_t shorter = std::min(theirs.size(), ours.size());
    const auto end = ours.begin() + static_cast<std::ptrdiff_t>(shorter);
    return static_cast<std::uint64_t>(std::mismatch(ours.begin(), end, theirs.begin()).first -
                                      ours.begin());
  }
  bool holds_all_that_is_safe(std::size_t candidate) const {
    const auto& ours = replicas[candidate].log;
    return ours.size() >= safe &&
           std::equal(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(safe), ours.begin());
  }
};

struct Tally;
void judge_all(const Model& model, std::uint32_t seed, std::uint32_t wanted, bool fetching,
               Tally& tally);

// One random history, judged for every candidate with every set of peers that may answer.
struct Tally {
  int proven = 0;
  int refused = 0;
  int lost = 0;
  int lost_by_last_byte = 0;  // losses if the epoch of the last byte decided
  int fetched = 0;
  int proven_behind_fetch = 0;
};

// The candidate fetches all or a part of what it lacks. Meanwhile the peers that were not asked
// continue with their source. After that every candidate is judged again.
void fetch(Model model, std::size_t candidate, std::size_t reachable, std::size_t donor,
           std::uint32_t seed, std::uint32_t wanted, Tally& tally) {
  ++tally.fetched;
  for (std::size_t i = 0; i < Model::kReplicas; ++i) {
    if ((reachable >> i & 1) == 0) continue;
    model.replicas[i].fenced = true;
    model.replicas[i].in_session = false;
  }
  Model::Replica& own = model.replicas[candidate];
  const std::vector<int>& theirs = model.replicas[donor].log;
  std::size_t same = 0;
  while (same < own.log.size() && same < theirs.size() && own.log[same] == theirs[same]) ++same;
  own.log.resize(same);
  const std::size_t length =
      model.pick(2) == 0 ? theirs.size() : same + model.pick(theirs.size() - same + 1);
  own.log.insert(own.log.end(), theirs.begin() + static_cast<std::ptrdiff_t>(same),
                 theirs.begin() + static_cast<std::ptrdiff_t>(length));
  own.fetched = true;
  for (std::size_t i = model.pick(20); i > 0; --i) model.step();
  judge_all(model, seed, wanted, true, tally);
}

void play(std::uint32_t seed, std::uint32_t wanted, Tally& tally) {
  Model model(seed, wanted);
  const std::size_t steps = 20 + model.pick(60);
  for (std::size_t i = 0; i < steps; ++i) model.step();
  judge_all(model, seed, wanted, false, tally);
}

void judge_all(const Model& model, std::uint32_t seed, std::uint32_t wanted, bool fetching,
               Tally& tally) {
  const PromotionRule rule = any(wanted, {"a", "b", "c"});
  for (std::size_t candidate = 0; candidate < Model::kReplicas; ++candidate) {
    for (std::size_t reachable = 0; reachable < 8; ++reachable) {
      if ((reachable >> candidate & 1) == 0) continue;
      const PromotionLog own = model.log(candidate, rule);
      std::vector<std::string> peers;
      for (std::size_t i = 0; i < Model::kReplicas; ++i) {
        if (i != candidate) peers.push_back(std::string(1, static_cast<char>('a' + i)));
      }
      Promotion promotion(own, own.end, peers);
      // As if all of it were the beginning of one group.
      Promotion within(own, {1, 0}, peers);
      bool everybody_inspected = reachable == 7;
      bool greatest_by_last_byte = true;
      for (std::size_t i = 0; i < Model::kReplicas; ++i) {
        if (i == candidate || (reachable >> i & 1) == 0) continue;
        const PromotionAnswer answer =
            answer_of(model.log(i, rule), model.relation(i, candidate), model.common(i, candidate));
        promotion.on_answer(answer);
        within.on_answer(answer);
        everybody_inspected = everybody_inspected && model.replicas[i].known && !answer.log.learner;
        const auto rank = [&](std::size_t r) {
          return std::make_pair(model.replicas[r].last_byte_epoch, model.replicas[r].log.size());
        };
        greatest_by_last_byte = greatest_by_last_byte && rank(candidate) >= rank(i);
      }
      promotion.close();
      within.close();
      const bool proven = promotion.verdict() == PromotionVerdict::proven;
      if (proven && !everybody_inspected && within.sealed_at().offset < model.safe) {
        ++tally.lost;
        ADD_FAILURE() << "seed " << seed << " candidate " << candidate << " reachable " << reachable
                      << ": sealed within what may be released";
      }
      ++(proven ? tally.proven : tally.refused);
      tally.proven_behind_fetch += proven && fetching;
      if (promotion.verdict() == PromotionVerdict::lesser && !fetching)
        fetch(model, candidate, reachable,
              static_cast<std::size_t>(promotion.better_candidate()[0] - 'a'), seed, wanted, tally);
      if (proven && !model.holds_all_that_is_safe(candidate)) {
        ++tally.lost;
        ADD_FAILURE() << "seed " << seed << " candidate " << candidate << " reachable " << reachable
                      << (fetching ? " behind a fetch" : "");
      }
      const bool everybody =
          reachable == 7 && std::none_of(model.replicas.begin(), model.replicas.end(),
                                         [](const Model::Replica& replica) {
                                           return !replica.known || replica.learner;
                                         });
      if (everybody && !fetching && greatest_by_last_byte &&
          !model.holds_all_that_is_safe(candidate))
        ++tally.lost_by_last_byte;
    }
  }
}

TEST(Promotion, NoHistoryLosesWhatWasAcknowledged) {
  constexpr std::uint32_t kSeeds = 20'000;
  Tally tally;
  for (std::uint32_t seed = 1; seed <= kSeeds && tally.lost == 0; ++seed)
    play(seed, 1 + seed % 3, tally);
  EXPECT_EQ(tally.lost, 0);
  // The model reaches the cases that matter.
  EXPECT_GT(tally.proven, 10'000);
  EXPECT_GT(tally.refused, 10'000);
  EXPECT_GT(tally.lost_by_last_byte, 0);
  EXPECT_GT(tally.fetched, 1'000);
  EXPECT_GT(tally.proven_behind_fetch, 1'000);
}

// If every peer answers, and no journal is damaged, one of them can always be promoted.
TEST(Promotion, WithEverybodyThereOneCandidateIsProven) {
  for (std::uint32_t seed = 1; seed <= 5'000; ++seed) {
    Model model(seed, 1 + seed % 3);
    for (std::size_t i = 0; i < 60; ++i) model.step();
    const bool whole = std::all_of(model.replicas.begin(), model.replicas.end(),
                                   [](const Model::Replica& r) { return r.known && !r.learner; });
    if (!whole) continue;
    const PromotionRule rule = any(1 + seed % 3, {"a", "b", "c"});
    bool one = false;
    for (std::size_t candidate = 0; candidate < Model::kReplicas; ++candidate) {
      const PromotionLog own = model.log(candidate, rule);
      Promotion promotion(own, own.end, {"a", "b", "c"});
      for (std::size_t i = 0; i < Model::kReplicas; ++i) {
        if (i != candidate)
          promotion.on_answer(answer_of(model.log(i, rule), model.relation(i, candidate)));
      }
      promotion.close();
      const bool proven = promotion.verdict() == PromotionVerdict::proven;
      one = one || proven;
      if (proven || promotion.better_candidate().empty()) continue;
      // Following the advice leads to a promotion.
      EXPECT_NE(promotion.better_candidate(), own.name);
    }
    EXPECT_TRUE(one) << "seed " << seed;
  }
}

TEST(PromotionStep, EveryStepSaysWhatARestartDoes) {
  const std::map<PromotionStep, PromotionResume> expected = {
      {PromotionStep::none, PromotionResume::nothing},
      {PromotionStep::fencing, PromotionResume::give_up},
      {PromotionStep::sealed, PromotionResume::go_on},
      {PromotionStep::released, PromotionResume::go_on},
      {PromotionStep::executed, PromotionResume::go_on},
      {PromotionStep::active, PromotionResume::nothing},
  };
  ASSERT_EQ(expected.size(), kPromotionSteps);
  for (const auto& [step, resume] : expected) EXPECT_EQ(resume_of(step), resume) << to_string(step);
}

TEST(PromotionStep, StepsFollowOneAnother) {
  const std::array order = {PromotionStep::fencing, PromotionStep::sealed, PromotionStep::released,
                            PromotionStep::executed, PromotionStep::active};
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = 0; j < order.size(); ++j) {
      const bool next =
          j == i + 1 || (order[i] == PromotionStep::active && j == 0) || (i == 0 && j == 0);
      EXPECT_EQ(may_follow(order[i], order[j]), next)
          << to_string(order[i]) << " " << to_string(order[j]);
    }
    EXPECT_EQ(may_follow(order[i], PromotionStep::none), order[i] != PromotionStep::active);
  }
  EXPECT_TRUE(may_follow(PromotionStep::none, PromotionStep::fencing));
  EXPECT_FALSE(may_follow(PromotionStep::none, PromotionStep::sealed));
}

}  // namespace binlane::promotion_test
