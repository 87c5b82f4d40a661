#include "control/failover/fitness_watch.h"

#include <utility>
#include <vector>

namespace binlane {

void FitnessWatch::look(std::uint64_t now_ns) {
  if (!looking_) {
    if (now_ns < next_ns_) return;
    std::vector<std::string> warnings;  // `binlane doctor` and the other problems name these
    if (Status fit = server_.check_fit(warnings); !fit.is_ok()) return end(now_ns, fit.text());
    looking_ = true;
  }
  const Status own = own_writes_.look(now_ns);
  if (own.is_pending()) return;
  // What cannot be told, as long as nothing is archived, is no problem of the server.
  end(now_ns, own_writes_.found_some() ? own.text() : std::string());
}

void FitnessWatch::end(std::uint64_t now_ns, std::string problem) {
  problem_ = std::move(problem);
  looking_ = false;
  next_ns_ = now_ns + kLookEveryNs;
}

void FitnessWatch::start_over() {
  own_writes_.reset();
  end(0, {});
  next_ns_ = 0;
}

}  // namespace binlane
