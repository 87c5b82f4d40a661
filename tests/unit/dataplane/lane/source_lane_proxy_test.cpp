// What control tells a lane arrives unchanged, and a full queue is counted.
#include "dataplane/lane/source_lane_proxy.h"

#include <gtest/gtest.h>

#include <memory>
#include <variant>

#include "dataplane/lane/replica_lane_proxy.h"

namespace binlane {
namespace {

struct Lane {
  std::unique_ptr<SourceLaneQueues> queues = std::make_unique<SourceLaneQueues>();
  SourceLaneProxy proxy{*queues};

  template <class Command>
  Command taken() {
    SourceCommand command;
    EXPECT_TRUE(queues->commands.try_pop(command));
    EXPECT_TRUE(std::holds_alternative<Command>(command));
    return std::get<Command>(command);
  }
  std::uint64_t times_full(const std::string& queue) const {
    for (const QueueCount& count : queues->times_full()) {
      if (count.queue == queue) return count.times_full;
    }
    ADD_FAILURE() << "no queue is called " << queue;
    return 0;
  }
};

TEST(SourceLaneProxy, EachCommandArrivesAsItWasTold) {
  Lane lane;
  StartSession session;
  session.replica = 2;
  session.session_id = 77;
  EXPECT_TRUE(lane.proxy.start_session(session));
  EXPECT_TRUE(lane.proxy.stop_session(3));
  EXPECT_TRUE(lane.proxy.set_degraded(5, true));
  EXPECT_TRUE(lane.proxy.end_degraded());
  EXPECT_TRUE(lane.proxy.set_synced({4, 100}));
  EXPECT_TRUE(lane.proxy.set_exposure_known(1, 77, 5));
  EXPECT_TRUE(lane.proxy.set_slow(6));
  EXPECT_EQ(lane.taken<StartSession>().session_id, 77U);
  EXPECT_EQ(lane.taken<StopSession>().replica, 3U);
  const auto degraded = lane.taken<SetDegraded>();
  EXPECT_TRUE(degraded.degraded && degraded.hold);
  EXPECT_EQ(degraded.exposure, 5U);
  EXPECT_FALSE(lane.taken<SetDegraded>().degraded);
  EXPECT_EQ(lane.taken<SetSynced>().synced, (Position{4, 100}));
  const auto known = lane.taken<SetExposureKnown>();
  EXPECT_EQ(known.replica, 1U);
  EXPECT_EQ(known.session_id, 77U);
  EXPECT_EQ(known.exposure, 5U);
  EXPECT_EQ(lane.taken<SetSlow>().slow, ReplicaSet{6});
}

TEST(SourceLaneProxy, AFullQueueIsCountedAndTakesNothing) {
  Lane lane;
  for (std::size_t i = 0; i < kLaneQueue; ++i) ASSERT_TRUE(lane.proxy.stop_session(0));
  EXPECT_EQ(lane.times_full("source_commands"), 0U);
  EXPECT_FALSE(lane.proxy.set_synced({1, 1}));
  EXPECT_FALSE(lane.proxy.set_slow(1));
  EXPECT_EQ(lane.times_full("source_commands"), 2U);
  lane.proxy.forget_commands();
  EXPECT_TRUE(lane.proxy.set_slow(1));
  lane.taken<SetSlow>();
  for (std::size_t i = 0; i < kHelloQueue; ++i) EXPECT_TRUE(lane.proxy.send_hello({}));
  EXPECT_FALSE(lane.proxy.send_hello({}));
  EXPECT_EQ(lane.times_full("source_hellos_out"), 1U);
}

TEST(ReplicaLaneProxy, AFullQueueIsCountedAndTakesNothing) {
  struct Mark {};
  const auto queues = std::make_unique<ReplicaLaneQueues<Mark>>();
  ReplicaLaneProxy proxy(*queues);
  for (std::size_t i = 0; i < kPeerListQueue; ++i) EXPECT_TRUE(proxy.hear({}));
  EXPECT_FALSE(proxy.hear({}));
  EXPECT_EQ(queues->peers.times_full(), 1U);
  for (std::size_t i = 0; i < kReplicaHelloQueue; ++i) EXPECT_TRUE(proxy.admit({}));
  EXPECT_FALSE(proxy.admit({}));
  proxy.forget_admitted();
  EXPECT_TRUE(proxy.admit({}));
  EXPECT_TRUE(queues->archived.try_push(1));
  proxy.set_applied(9);
  proxy.forget_archive();
  std::uint64_t sequence = 0;
  EXPECT_FALSE(queues->archived.try_pop(sequence));
  EXPECT_EQ(queues->applied_log.load(), 0U);
}

}  // namespace
}  // namespace binlane
