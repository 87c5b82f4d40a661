// Tests of the mailbox of a control thread: calls are done in order, once, and their number and
// time are bounded.
#include "control/source/control_mailbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace binlane {
namespace {

// A control thread that serves calls until the mailbox is closed.
class Server {
 public:
  explicit Server(ControlMailbox& mailbox)
      : mailbox_(mailbox), thread_([this] {
          while (!mailbox_.closed()) {
            mailbox_.serve([this] { ++after_; });
            mailbox_.wait(1'000'000);
          }
        }) {}
  ~Server() {
    mailbox_.close();
    thread_.join();
  }
  int after() const { return after_; }

 private:
  ControlMailbox& mailbox_;
  std::atomic<int> after_{0};
  std::thread thread_;
};

TEST(ControlMailbox, GivesTheAnswerOfTheWork) {
  ControlMailbox mailbox;
  Server server(mailbox);
  EXPECT_TRUE(mailbox.call([] { return Status::ok(); }).is_ok());
  EXPECT_EQ(mailbox.call([] { return Status::failed("no disk"); }).text(), "no disk");
  EXPECT_EQ(server.after(), 2);
}

TEST(ControlMailbox, DoesEachCallOnceAndOnOneThread) {
  ControlMailbox mailbox;
  Server server(mailbox);
  std::vector<std::thread::id> done_on;
  std::vector<std::thread> callers;
  for (std::size_t i = 0; i < ControlMailbox::kMaxCalls; ++i)
    callers.emplace_back([&] {
      EXPECT_TRUE(mailbox
                      .call([&] {
                        done_on.push_back(std::this_thread::get_id());
                        return Status::ok();
                      })
                      .is_ok());
    });
  for (std::thread& caller : callers) caller.join();
  ASSERT_EQ(done_on.size(), ControlMailbox::kMaxCalls);
  for (const std::thread::id id : done_on) EXPECT_EQ(id, done_on.front());
}

TEST(ControlMailbox, RefusesCallsWhenItIsClosed) {
  ControlMailbox mailbox;
  mailbox.close();
  bool done = false;
  const Status answer = mailbox.call([&] {
    done = true;
    return Status::ok();
  });
  EXPECT_EQ(answer.text(), "this binlaned is stopping");
  EXPECT_FALSE(done);
  EXPECT_FALSE(mailbox.wait(1'000'000'000));  // returns at once
}

}  // namespace
}  // namespace binlane
