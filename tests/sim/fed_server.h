// FedServer: a replica's own server, as the feed sees it. It takes at once whatever it may have,
// and has executed it a little later. While it is down, it takes and executes nothing.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/position.h"
#include "storage/journal/journal_meta.h"

namespace binlane::sim {

class FedServer {
 public:
  // The feed knows it by this one.
  static constexpr std::uint32_t kServerId = 1;
  // The archived files of a stream, and a position in them.
  struct Place {
    std::string folder;
    std::string basename;
    Position position;

    bool operator==(const Place&) const = default;
  };

  // From now on the feed serves `stream`. Returns whether that is another stream than before.
  bool follow(const StreamIdentity& stream) {
    if (stream_.is_null() || stream == stream_) return false;
    stream_ = {};
    before_ = {folder_, basename_, fed_};
    fed_ = executed_ = next_executed_ = {};
    return true;
  }
  // It may take everything before `whole`. Returns whether that is more than it has.
  bool take(const StreamIdentity& stream, const std::string& folder, Position whole,
            std::uint64_t now_ns) {
    if (!following || whole <= fed_ || now_ns < down_until_ns) return false;
    stream_ = stream;
    folder_ = folder;
    basename_ = stream.basename;
    fed_ = whole;
    return true;
  }
  // It executes everything that it had taken before this call.
  void execute(std::uint64_t now_ns) {
    if (now_ns < execute_ns_ || now_ns < down_until_ns) return;
    execute_ns_ = now_ns + kExecuteNs;
    executed_ = next_executed_;
    next_executed_ = fed_;
  }
  // It has all that it was fed in a log of its own, and executes it whatever becomes of the feed.
  void execute_all() { executed_ = next_executed_ = fed_; }
  // It stands at these GTIDs and follows another stream from now on; empty: it was restored from a
  // copy that knows none.
  void begin_anew(std::string gtid) {
    *this = FedServer();
    stood_at = std::move(gtid);
  }

  Position fed() const { return fed_; }
  Position fed_before() const { return before_.position; }
  Position executed() const { return executed_; }
  // The end of everything that it has executed: in the present stream, or in the previous one.
  Place executed_place() const {
    return executed_.is_null() ? before_ : Place{folder_, basename_, executed_};
  }

  std::string stood_at;   // GTIDs, before the streams that it was fed here
  bool following = true;  // the feed beside it
  std::uint64_t down_until_ns = 0;

 private:
  static constexpr std::uint64_t kExecuteNs = 10 * kNanosPerMilli;

  StreamIdentity stream_;  // that it was fed from; null: nothing of the present one yet
  std::string folder_;     // of that stream's archived files
  std::string basename_;
  Position fed_;
  Place before_;  // its place in the previous stream
  Position executed_;
  Position next_executed_;
  std::uint64_t execute_ns_ = 0;
};

}  // namespace binlane::sim
