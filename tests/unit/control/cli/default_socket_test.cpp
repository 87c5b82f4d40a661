// The daemon that `binlane` asks if the user names none.
#include "control/cli/default_socket.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "control/config/config.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

TEST(DefaultSocket, TheInstalledDaemonsIsFound) {
  TemporaryDirectory directory;
  const std::string config = directory.file("binlaned.toml");
  const std::string runtime = directory.file("run.sock");
  const std::string data = directory.file("data.sock");
  const cli::SocketPlaces places{config.c_str(), runtime.c_str(), data.c_str()};
  EXPECT_EQ(cli::default_socket(places), runtime);  // no file exists
  std::ofstream(data) << "";
  EXPECT_EQ(cli::default_socket(places), data);
  std::ofstream(runtime) << "";
  EXPECT_EQ(cli::default_socket(places), runtime);
  std::ofstream(config) << "name = \"a\"\n";
  EXPECT_EQ(cli::default_socket(places), runtime);
  std::ofstream(config) << "admin_socket = \"/srv/b/admin.sock\"\nnonsense = 7\n";
  EXPECT_EQ(cli::default_socket(places), "/srv/b/admin.sock");
  std::ofstream(config) << "admin_socket = [\n";
  EXPECT_EQ(cli::default_socket(places), runtime);
}

TEST(DefaultSocket, TheDaemonPutsItsOwnWhereSystemdSays) {
  constexpr const char* kText =
      "name = \"a\"\ncluster = \"c\"\ndata_dir = \"/srv/b\"\n[replica]\nport = \"udp\"\n"
      "address = \"10.0.0.1:7100\"\nfeed_password = \"x\"\n";
  ::unsetenv("RUNTIME_DIRECTORY");
  EXPECT_EQ(parse_config(kText, "c").admin_socket, "/srv/b/admin.sock");
  ::setenv("RUNTIME_DIRECTORY", "/run/binlane:/run/other", 1);
  EXPECT_EQ(parse_config(kText, "c").admin_socket, "/run/binlane/admin.sock");
  ::unsetenv("RUNTIME_DIRECTORY");
}

}  // namespace
}  // namespace binlane
