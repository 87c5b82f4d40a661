#include "shim/server/semi_sync_control.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace binlane {
namespace {

using Shown = std::vector<std::pair<std::string, std::string>>;

TEST(SemiSyncControl, SwitchedShowsUnderTheServersNameToo) {
  for (const SemiSyncWords words : {SemiSyncWords::master_slave, SemiSyncWords::source_replica}) {
    const SemiSyncNames names = semi_sync_names(words);
    SemiSyncStatus status;
    status.enabled = status.status_on = true;
    // A server that is a replica too has a status by nearly the same name.
    status.shown = {{names.status, "ON"}, {"Rpl_semi_sync_slave_status", "ON"}, {names.no_tx, "3"}};
    note_switched(status, names, false);
    EXPECT_FALSE(status.enabled);
    EXPECT_FALSE(status.status_on);
    EXPECT_EQ(
        status.shown,
        (Shown{{names.status, "OFF"}, {"Rpl_semi_sync_slave_status", "ON"}, {names.no_tx, "3"}}));
    note_switched(status, names, true);
    EXPECT_TRUE(status.enabled);
    EXPECT_TRUE(status.status_on);
    EXPECT_EQ(status.shown.front().second, "ON");
  }
}

}  // namespace
}  // namespace binlane
