// StrangerWatch: logs, at most once a minute, that datagrams from unknown addresses were dropped.
// This shows an operator that a host is missing in a list of peers, and a flood of datagrams does
// not fill the disk with log lines. Used by one thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "control/config/config_value.h"
#include "dataplane/port/port.h"

namespace binlane {

class StrangerWatch {
 public:
  // `remedy`: the end of the message, which says where a missing host has to be listed.
  explicit StrangerWatch(std::string remedy) : remedy_(std::move(remedy)) {}

  // `count` datagrams were dropped so far; the newest came from `last`.
  void look(std::uint64_t count, const Endpoint& last, std::uint64_t now_ns) {
    if (count <= told_ || (told_ns_ != 0 && now_ns - told_ns_ < kPauseNs)) return;
    log::warning("unknown_peer",
                 "{} datagrams from addresses that belong to no peer were dropped unread, the last "
                 "from {}. If that is a host of this cluster, {}",
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
