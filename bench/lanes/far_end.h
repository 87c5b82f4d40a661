// The far end of `transport`, `loss` and `catchup`: a replica's lane, or an echo of the baseline
// that the near end plans. Runs in the second process until the near end is gone.
#pragma once

#include <string>

#include "dataplane/lane/idle_strategy.h"
#include "lanes/peer_process.h"

namespace binlane::bench {

struct FarEndOptions {
  std::string port;    // of the lanes: vhost, udp or dpdk:…
  std::string folder;  // sockets, runtime files
  double loss = 0;
  IdleMode idle = IdleMode::spin;
  std::uint32_t journal_blocks = 4096;
  // A journal file to be durable in; empty: nowhere (level `received`).
  std::string journal_path;
};

void run_far_end(PeerProcess::FarEnd& side, const FarEndOptions& options);

}  // namespace binlane::bench
