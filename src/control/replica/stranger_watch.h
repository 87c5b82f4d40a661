// StrangerWatch: says, at most once a minute, that datagrams of addresses that are no peer's were
// dropped. An operator who forgot a host in a list finds out from it; a flood fills no disk. Used
// by one thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "control/config_value.h"
#include "dataplane/port.h"

namespace binlane {

class StrangerWatch {
 public:
  // `remedy`: where a peer would have to be listed.
  explicit StrangerWatch(std::string remedy) : remedy_(std::move(remedy)) {}

  // `count` of them so far, `last` the newest one's address.
  void look(std::uint64_t count, const Endpoint& last, std::uint64_t now_ns) {
    if (count <= told_ || (told_ns_ != 0 && now_ns - told_ns_ < kPauseNs)) return;
    log::warning("unknown_peer",
                 "{} datagrams of addresses that are no peer's were dropped unread, the last from "
                 "{}; if that is a host of this cluster, {}",
                 count - told_, endpoint_text(last), remedy_);
    told_ = count;
    told_ns_ = now_ns;
  }

 private:
  static constexpr std::uint64_t kPauseNs = 60 * kNanosPerSecond;

  std::string remedy_;
  std::uint64_t told_ = 0;
  std::uint64_t told_ns_ = 0;
};

}  // namespace binlane
