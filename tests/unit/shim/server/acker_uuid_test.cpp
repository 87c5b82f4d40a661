// The uuid of Binlane's dump connection at a MySQL server.
#include "shim/server/acker_uuid.h"

#include <gtest/gtest.h>

#include <set>

namespace binlane {
namespace {

TEST(AckerUuid, IsTheSameForOneServerAndOneId) {
  const Uuid server = Uuid::random();
  EXPECT_EQ(acker_uuid(server, 900), acker_uuid(server, 900));
}

TEST(AckerUuid, DiffersForEveryIdAndServerAndFromTheServers) {
  const Uuid one = *parse_uuid("3e11fa47-71ca-11e1-9e33-c80aa9429562");
  const Uuid other = *parse_uuid("3e11fa47-71ca-11e1-9e33-c80aa9429563");
  std::set<Uuid> seen{one, other};
  for (const Uuid& server : {one, other}) {
    for (const std::uint32_t id : {1U, 2U, 900U, 256U, 65536U, 0xffffffffU})
      EXPECT_TRUE(seen.insert(acker_uuid(server, id)).second) << to_string(server) << " " << id;
  }
  EXPECT_EQ(to_string(acker_uuid(one, 900))[14], '8') << "the version";
}

}  // namespace
}  // namespace binlane
