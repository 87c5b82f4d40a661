#include "control/daemon/settings.h"

#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "control/replica/replica_side.h"
#include "control/source/control_thread.h"

namespace binlane {

Settings::Settings(const Config& config, std::string path, ControlThread* source,
                   ReplicaSide* replica)
    : path_(std::move(path)),
      source_(source),
      replica_(replica),
      current_(std::make_shared<const Config>(config)),
      file_(current_) {}

std::shared_ptr<const Config> Settings::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

std::vector<Settings::Row> Settings::list() const {
  std::shared_ptr<const Config> now, file;
  {
    const std::lock_guard lock(mutex_);
    now = current_;
    file = file_;
  }
  const std::vector<SettingView> values = list_settings(*now);
  const std::vector<SettingView> read = list_settings(*file);
  std::vector<Row> rows;
  for (std::size_t i = 0; i < values.size() && i < read.size(); ++i)
    rows.push_back({values[i].key, values[i].value, read[i].value, values[i].live});
  return rows;
}

std::optional<ConfigProblem> Settings::put_in_force(const Config& next, std::string_view key) {
  if (next.source && source_ != nullptr) {
    std::string problem = source_->request_change(next).text();
    if (!problem.empty()) return ConfigProblem{std::string(key), std::move(problem)};
  }
  if (next.replica && replica_ != nullptr && next.replica->sources != current()->replica->sources) {
    if (!replica_->hear(replica_sources(next)))
      return ConfigProblem{std::string(key),
                           "the lane is busy with the previous change: try again"};
  }
  if (next.replica && replica_ != nullptr) replica_->set_retention(retention_policy(*next.replica));
  log::set_level(next.log_level);
  const std::lock_guard lock(mutex_);
  current_ = std::make_shared<const Config>(next);
  return std::nullopt;
}

std::optional<ConfigProblem> Settings::set(std::string_view key, std::string_view value) {
  const std::lock_guard lock(change_mutex_);
  const auto changed = change_setting(*current(), key, value);
  if (const auto* problem = std::get_if<ConfigProblem>(&changed)) return *problem;
  auto problem = put_in_force(std::get<Config>(changed), key);
  if (!problem) log::warning("setting_changed", "{} is {} now, until the next start", key, value);
  return problem;
}

std::variant<Settings::Reloaded, std::string> Settings::reload() {
  const std::lock_guard lock(change_mutex_);
  Config file;
  try {
    file = load_config(path_);
  } catch (const StartupError& error) {
    return std::string(error.what());
  }
  Reloaded result;
  for (const std::string& key : differing_keys(*current(), file)) {
    const auto next = with_key_of(*current(), file, key);
    if (!next) {
      result.need_restart.push_back(key);
      continue;
    }
    if (const auto* wrong = std::get_if<ConfigProblem>(&*next)) {
      result.refused.push_back(*wrong);
      continue;
    }
    if (auto problem = put_in_force(std::get<Config>(*next), key))
      result.refused.push_back(std::move(*problem));
    else
      result.changed.push_back(key);
  }
  const std::lock_guard guard(mutex_);
  file_ = std::make_shared<const Config>(std::move(file));
  return result;
}

}  // namespace binlane
