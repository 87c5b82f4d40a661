// The effect of one datagram, with a forged source address, on a replica: nothing that lasts. A
// sender that forges an address does not hear the answers, so durable changes follow only from a
// HELLO that names one. Named as the attacks were. [S19]
#include "replica_control_case.h"

namespace binlane {
namespace {

class ForgedHello : public ReplicaControlTest {
 protected:
  // A source of epoch 1.1 holds a session with this replica.
  void hold_a_session() {
    ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
    ASSERT_TRUE(started(start(ask_of({1, 1}, 1))));
    wait_for([&] { return view().marks.connected; }, "the session");
    session_ = view().marks.session_id;
    promise_ = side_->store().promise();
  }
  // Forges this HELLO, and waits until the replica has processed it.
  void forge_and_wait(const Hello& hello) {
    const std::uint64_t before = view().hellos;
    forge(hello);
    wait_for([&] { return view().hellos > before; }, "the forged HELLO to be looked at");
    // The lane's reaction shows in a later turn.
    const std::uint64_t turn = view().marks.turns;
    wait_for([&] { return view().marks.turns > turn + 2; }, "the lane's turns");
  }
  void expect_nothing_changed() {
    EXPECT_EQ(side_->store().promise(), promise_);
    EXPECT_FALSE(view().exposures.divergence);
    EXPECT_TRUE(view().marks.connected);
    EXPECT_EQ(view().marks.session_id, session_);
    EXPECT_EQ(view().marks.epoch, (Epoch{1, 1}));
    EXPECT_EQ(view().stream.origin, uuid(101));
  }

  std::uint64_t session_ = 0;
  Promise promise_;
};

TEST_F(ForgedHello, fence_without_an_answer_of_now_binds_nothing) {
  hold_a_session();
  forge_and_wait(fence_of({2, 0}, 2));
  expect_nothing_changed();
  EXPECT_EQ(view().hellos_not_bound, 1U);
  Hello guessed = fence_of({2, 0}, 2);
  guessed.body.answer_id = 4711;
  forge_and_wait(guessed);
  expect_nothing_changed();
  // The same FENCE counts from a sender that hears the answers.
  EXPECT_FALSE(refused(ask(fence_of({2, 0}, 2))));
  EXPECT_EQ(side_->store().promise(), (Promise{2, uuid(2)}));
}

TEST_F(ForgedHello, fence_with_the_last_term_is_refused) {
  hold_a_session();
  for (const std::uint32_t term : {UINT32_MAX, UINT32_MAX - 1, 1 + kMaxTermStep + 1}) {
    const auto answer = ask(fence_of({term, 0}, 2));
    ASSERT_TRUE(refused(answer)) << term;
    EXPECT_NE(reason_of(answer).find("binlane term reset"), std::string::npos) << reason_of(answer);
    expect_nothing_changed();
  }
  EXPECT_FALSE(refused(ask(fence_of({1 + kMaxTermStep, 0}, 2))));
}

TEST_F(ForgedHello, a_foreign_stream_with_fence_leaves_no_promise) {
  hold_a_session();
  Hello same_term = fence_of({9, 0}, 2);
  same_term.set_stream(uuid(102), 1);
  EXPECT_TRUE(refused(ask(same_term)));
  expect_nothing_changed();
  Hello other_term = fence_of({9, 0}, 2);
  other_term.set_stream(uuid(102), 7);
  forge_and_wait(other_term);
  expect_nothing_changed();
}

TEST_F(ForgedHello, hello_with_stream_term_zero_is_refused) {
  hold_a_session();
  Hello seal = ask_of({1, 1}, 1);
  seal.set_stream(uuid(102), 0).set_sealed(uuid(101), 1, {1, 4});
  const auto answer = ask(seal);
  ASSERT_TRUE(refused(answer));
  EXPECT_NE(reason_of(answer).find("without a term"), std::string::npos) << reason_of(answer);
  Hello no_term = ask_of({0, 1}, 1);
  no_term.set_stream(uuid(102), 0);
  EXPECT_TRUE(refused(ask(no_term)));
  expect_nothing_changed();
}

TEST_F(ForgedHello, a_seal_without_an_answer_of_now_diverges_nobody) {
  hold_a_session();
  Hello seal = ask_of({2, 1}, 2);
  seal.set_stream(uuid(102), 2).set_sealed(uuid(101), 1, {1, 0});
  forge_and_wait(seal);
  expect_nothing_changed();
  EXPECT_EQ(view().hellos_not_bound, 1U);
}

TEST_F(ForgedHello, an_ask_without_an_answer_of_now_ends_no_session) {
  hold_a_session();
  forge_and_wait(ask_of({1, 1}, 1));
  expect_nothing_changed();
  // The real source hears answers, so its next incarnation is served.
  const auto again = ask(ask_of({1, 2}, 1));
  ASSERT_TRUE(again && !refused(again)) << reason_of(again);
}

TEST_F(ForgedHello, nobody_deposes_or_follows_a_source_unheard) {
  side_->control().refuse_all("this host is a source itself");
  Hello active = ask_of({2, 1}, 2);
  active.set_stream(uuid(102), 2).set_sealed(uuid(101), 1, {3, 700});
  forge_and_wait(active);
  forge_and_wait(fence_of({2, 0}, 2));
  EXPECT_EQ(side_->control().deposed_by(), 0U);
  EXPECT_FALSE(side_->control().successor());
  EXPECT_TRUE(refused(ask(active)));
  EXPECT_EQ(side_->control().deposed_by(), 2U);
  EXPECT_TRUE(side_->control().successor());
}

// Texts that a record could not contain, or that a later start of binlaned could not read.
TEST_F(ForgedHello, text_that_no_record_can_hold_is_refused) {
  ASSERT_TRUE(ask(ask_of({1, 1}, 1)));
  Hello rule = ask_of({1, 1}, 1);
  set_field(rule.body.rule, "ANY 1\n(b)");
  EXPECT_TRUE(refused(start(rule)));
  Hello name = ask_of({1, 1}, 1);
  set_field(name.body.basename, "bin\x01log");
  EXPECT_TRUE(refused(ask(name)));
  Hello far = ask_of({1, 1}, 1);
  far.body.start_at = to_wire(Position{1, UINT64_MAX});
  EXPECT_TRUE(refused(ask(far)));
  EXPECT_TRUE(side_->store().stream().is_null());
}

TEST_F(ForgedHello, promises_are_given_at_a_pace) {
  // As many promises as one promotion may need are given at once; the next ones are not.
  for (std::uint32_t term = 2; term < 2 + PromiseBudget::kSaved; ++term)
    ASSERT_FALSE(refused(ask(fence_of({term, 0}, 2))));
  const std::uint64_t put_off = view().promises_put_off;
  EXPECT_EQ(put_off, 0U);
  ASSERT_FALSE(refused(ask(fence_of({20, 0}, 2))));
  EXPECT_GT(view().promises_put_off, put_off);
  EXPECT_EQ(side_->store().promise(), (Promise{20, uuid(2)}));
}

TEST_F(ForgedHello, a_look_changes_nothing_and_tells_who_is_heard) {
  hold_a_session();
  Hello look = ask_of({2, 0}, 2);
  look.body.flags = wire::kHelloLook;
  const auto seen = ask(look);
  ASSERT_TRUE(seen && !refused(seen)) << reason_of(seen);
  EXPECT_NE(std::uint32_t{seen->flags} & wire::kAckLook, 0U);
  EXPECT_EQ(std::string(field_text(seen->rules)), "ANY 1 (b, c)\n");
  EXPECT_EQ(std::uint32_t{seen->digest_count}, 0U);
  expect_nothing_changed();
  // A look in a term that is promised already gets the refusal that a FENCE would get.
  ASSERT_FALSE(refused(ask(fence_of({5, 0}, 2))));
  EXPECT_TRUE(refused(ask(look)));
}

TEST(PromiseBudget, SavesUpWhatAPromotionNeedsAndNoMore) {
  PromiseBudget budget;
  std::uint64_t given = 0;
  for (std::uint64_t now_ns = 0; now_ns <= 10 * kNanosPerSecond; now_ns += kNanosPerMilli)
    given += budget.take(now_ns) ? 1 : 0;
  EXPECT_EQ(given, PromiseBudget::kSaved + 10);
  // However long the silence was, no more than these are saved up.
  given = 0;
  for (int i = 0; i < 100; ++i) given += budget.take(1000 * kNanosPerSecond) ? 1 : 0;
  EXPECT_EQ(given, PromiseBudget::kSaved);
}

}  // namespace
}  // namespace binlane
