// Settings: the configuration that is in force, and the two ways to change it while the daemon
// runs: one key at a time (binlane set), and the file read anew (SIGHUP, binlane reload).
//
// A value that is set lasts until the next start, as with SET GLOBAL; list() tells where it differs
// from what was read. Admin thread and main thread.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/config/config.h"
#include "control/config/config_change.h"

namespace binlane {

class ReplicaSide;
class ControlThread;

class Settings {
 public:
  // `source` and `replica` may be null. `path`: the file that `config` was read from.
  Settings(const Config& config, std::string path, ControlThread* source, ReplicaSide* replica);

  std::shared_ptr<const Config> current() const;

  struct Row {
    std::string key;
    std::string value;
    std::string file_value;  // as it was read
    bool live = false;
  };
  std::vector<Row> list() const;

  // Returns nothing if it is done, or why not.
  std::optional<ConfigProblem> set(std::string_view key, std::string_view value);

  struct Reloaded {
    std::vector<std::string> changed;       // in force now
    std::vector<std::string> need_restart;  // differ, and wait for a start
    std::vector<ConfigProblem> refused;
  };
  // The file's content; a problem if it cannot be used at all.
  std::variant<Reloaded, std::string> reload();

 private:
  std::optional<ConfigProblem> put_in_force(const Config& next, std::string_view key);

  const std::string path_;
  ControlThread* const source_;
  ReplicaSide* const replica_;
  std::mutex change_mutex_;  // one change at a time
  mutable std::mutex mutex_;
  std::shared_ptr<const Config> current_;
  std::shared_ptr<const Config> file_;
};

}  // namespace binlane
