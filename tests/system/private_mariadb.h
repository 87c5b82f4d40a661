// PrivateMariadb: a MariaDB server of a test's own, in a fresh folder, on a unix socket only.
//
// The server ends with the test program, however that ends, and the folder is removed only after
// the server has really gone.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace binlane::test {

class PrivateMariadb {
 public:
  // Makes the data folder; `options` are added to every start ("--name=value").
  explicit PrivateMariadb(std::vector<std::string> options = {});
  ~PrivateMariadb();
  PrivateMariadb(const PrivateMariadb&) = delete;
  PrivateMariadb& operator=(const PrivateMariadb&) = delete;

  // Starts it and waits until it answers. Throws std::runtime_error with the log's end otherwise.
  void start();
  // SIGTERM, or SIGKILL, and waits for the end.
  void stop();
  void kill();
  void signal(int number) const;

  const std::string& folder() const { return folder_; }
  std::string socket() const { return folder_ + "/s.sock"; }
  std::string log_end() const;

 private:
  void wait_for_end();

  const std::vector<std::string> options_;
  std::string folder_;
  pid_t pid_ = -1;
};

}  // namespace binlane::test
