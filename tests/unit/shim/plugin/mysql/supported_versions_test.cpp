#include "shim/plugin/mysql/supported_versions.h"

#include <gtest/gtest.h>

namespace binlane {
namespace {

TEST(SupportedVersions, OnlyWhatIsInTheListAndItsPackagings) {
  EXPECT_TRUE(is_supported_version("9.7.4"));
  EXPECT_TRUE(is_supported_version("9.7.4-2"));
  EXPECT_TRUE(is_supported_version("9.7.4-debug"));
  for (const char* const other :
       {"", "9.7", "9.7.3", "9.7.5", "9.7.40", "8.4.7", "19.7.4", "10.11.19-MariaDB"})
    EXPECT_FALSE(is_supported_version(other)) << other;
}

TEST(SupportedVersions, TheRefusalNamesThem) {
  for (const std::string_view each : kSupportedVersions)
    EXPECT_NE(supported_versions().find(each), std::string::npos);
}

}  // namespace
}  // namespace binlane
