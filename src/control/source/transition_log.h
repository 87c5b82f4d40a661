// TransitionLog: the newest transitions of the fallback, over all incarnations, with the time of
// the wall clock. Source's control thread; any thread may read what list() returned.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/fallback/fallback.h"

namespace binlane {

struct LoggedTransition {
  FallbackTransition transition;
  std::string at;
};

class TransitionLog {
 public:
  // How many the status lists.
  static constexpr std::size_t kShown = 64;
  using List = std::shared_ptr<const std::vector<LoggedTransition>>;  // oldest first

  void add(LoggedTransition logged) {
    std::vector<LoggedTransition> all = *list_;
    if (all.size() == kShown) all.erase(all.begin());
    all.push_back(std::move(logged));
    list_ = std::make_shared<const std::vector<LoggedTransition>>(std::move(all));
  }
  const List& list() const noexcept { return list_; }

 private:
  List list_ = std::make_shared<const std::vector<LoggedTransition>>();
};

}  // namespace binlane
