// The line that `systemctl status` shows.
#include "control/service_summary.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

using nlohmann::json;

json source(const char* role, const char* state) {
  return {{"role", role},
          {"state", state},
          {"epoch", "1.4"},
          {"problem", nullptr},
          {"replicas", {{{"connected", true}}, {{"connected", false}}}}};
}

TEST(ServiceSummary, ASourceSaysItsStateAndItsReplicas) {
  EXPECT_EQ(service_summary({{"source", source("SOURCE", "SEMISYNC")}}),
            "SOURCE SEMISYNC, 1 of 2 replicas, epoch 1.4");
  json refused = source("SOURCE", "REFUSED");
  refused["problem"] = "log_bin is OFF";
  EXPECT_EQ(service_summary({{"source", refused}}),
            "SOURCE REFUSED, 1 of 2 replicas, epoch 1.4: log_bin is OFF");
  // Its replica's section does not run.
  EXPECT_EQ(
      service_summary({{"source", source("SOURCE", "ASYNC")}, {"replica", {{"source", "b"}}}}),
      "SOURCE ASYNC, 1 of 2 replicas, epoch 1.4");
}

TEST(ServiceSummary, AStandbyAndAReplicaSayWhomTheyFollow) {
  const json following = {{"connected", true}, {"source", "db1"}, {"state", "FOLLOWING"}};
  EXPECT_EQ(service_summary({{"source", source("STANDBY", "STANDBY")}, {"replica", following}}),
            "STANDBY, replica of db1");
  EXPECT_EQ(service_summary({{"replica", following}}), "replica of db1");
  const json away = {{"connected", false}, {"refusal", "another stream"}, {"state", "FOLLOWING"}};
  EXPECT_EQ(service_summary({{"source", source("FENCED", "FENCED")}, {"replica", away}}),
            "FENCED, replica without a source: another stream");
  EXPECT_EQ(service_summary({{"replica", {{"state", "DIVERGED"}}}}),
            "DIVERGED replica, to be rebuilt");
  EXPECT_EQ(service_summary(json::object()), "");
}

}  // namespace
}  // namespace binlane
