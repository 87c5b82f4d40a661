#include "private_mariadb.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "shim/server/server_connection.h"

namespace binlane::test {
namespace {

constexpr auto kStartBound = std::chrono::seconds(60);
constexpr auto kPoll = std::chrono::milliseconds(20);

pid_t spawn(const std::vector<std::string>& arguments, const std::string& log) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(127);
}

}  // namespace

PrivateMariadb::PrivateMariadb(std::vector<std::string> options) : options_(std::move(options)) {
  folder_ = (std::filesystem::temp_directory_path() / "bl-link-XXXXXX").string();
  if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  std::vector<std::string> install{"mariadb-install-db", "--no-defaults",
                                   "--datadir=" + folder_ + "/data",
                                   "--auth-root-authentication-method=normal", "--skip-test-db"};
  if (geteuid() == 0) install.emplace_back("--user=root");
  const pid_t child = spawn(install, folder_ + "/install.log");
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0)
    throw std::runtime_error("mariadb-install-db failed, see " + folder_ + "/install.log");
}

PrivateMariadb::~PrivateMariadb() {
  if (pid_ > 0) kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void PrivateMariadb::start() {
  std::vector<std::string> arguments{"mariadbd",
                                     "--no-defaults",
                                     "--datadir=" + folder_ + "/data",
                                     "--socket=" + socket(),
                                     "--pid-file=" + folder_ + "/pid",
                                     "--skip-networking",
                                     "--log-bin=binlog",
                                     "--server-id=1",
                                     "--sync-binlog=1",
                                     "--innodb-flush-log-at-trx-commit=1",
                                     "--innodb-buffer-pool-size=16M",
                                     "--innodb-log-file-size=96M"};
  if (geteuid() == 0) arguments.emplace_back("--user=root");
  arguments.insert(arguments.end(), options_.begin(), options_.end());
  pid_ = spawn(arguments, folder_ + "/server.log");
  const auto bound = std::chrono::steady_clock::now() + kStartBound;
  ServerConnection probe({socket(), "root", Secret()});
  while (!probe.connect().ok()) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      throw std::runtime_error("mariadbd ended at its start:\n" + log_end());
    }
    if (std::chrono::steady_clock::now() > bound)
      throw std::runtime_error("mariadbd does not answer:\n" + log_end());
    std::this_thread::sleep_for(kPoll);
  }
}

void PrivateMariadb::stop() {
  signal(SIGTERM);
  wait_for_end();
}

void PrivateMariadb::kill() {
  signal(SIGKILL);
  wait_for_end();
}

void PrivateMariadb::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

void PrivateMariadb::wait_for_end() {
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string PrivateMariadb::log_end() const {
  std::ifstream file(folder_ + "/server.log");
  std::stringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  constexpr std::size_t kShown = 3000;
  return all.size() <= kShown ? all : all.substr(all.size() - kShown);
}

}  // namespace binlane::test
