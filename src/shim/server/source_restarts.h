// SourceRestarts: where a dump has to end because its source's server was started anew.
//
// A server that dies ends its dump connections, and MariaDB's replicas rely on that. The worker of
// an ALTER TABLE that the dead server had begun and not finished (binlog_alter_two_phase) gives up
// when its IO thread has reconnected and reads the format description of the started server. Within
// one connection it waits for ever, holds its metadata lock, and STOP SLAVE or the ALTER's own end
// crashes the replica's server. (Seen on 10.11.19; a replica that reads an old restart of its real
// source within one connection fares the same.) So the feed, whose connections outlive the source's
// crash, ends them where such a file begins: for every client if the restart came while the dump
// ran, as the source would have, and for a replica also if it reads an old one and was sent groups
// before it.
//
// No replica is ended twice at one place, because what it is sent again on the next connection
// would end that one too. Any thread; bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

namespace binlane {

class SourceRestarts {
 public:
  static constexpr std::size_t kMaxReplicas = 256;

  // True once for a replica and a file, and then not for files before it any more.
  bool end_once(std::uint32_t server_id, std::uint32_t file) {
    const std::lock_guard lock(mutex_);
    if (!ended_.contains(server_id) && ended_.size() == kMaxReplicas) return false;
    std::uint32_t& last = ended_[server_id];
    if (file <= last) return false;
    last = file;
    return true;
  }

 private:
  std::mutex mutex_;
  std::map<std::uint32_t, std::uint32_t> ended_;  // the newest such file by replica
};

}  // namespace binlane
