// ServerWatch: compares what Binlane has set at the server with what each look at it shows (S22).
//
// Somebody may change a setting behind our back, or the server may not do what it was told. A
// difference is said once in the log and stands in the list of problems for as long as it lasts;
// where the setting is ours it is set again, at most once in kMendNs, and the next look shows
// whether that has helped. No I/O and no clock: control carries out what due() asks for. Source's
// control thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "shim/semi_sync_control.h"

namespace binlane {

enum class ServerSetting : std::uint8_t {
  timeout,
  wait_point,
  wait_no_replica,
  read_only,
  clients
};
inline constexpr std::size_t kServerSettings = 5;

// What the server was told last, and did not refuse.
struct ServerWishes {
  std::uint64_t timeout_ms = 0;
  WaitPoint wait_point = WaitPoint::after_sync;
  bool read_only = false;   // mode `fail` keeps it so; false: it is nobody's business here
  bool registered = false;  // our dump connection stands: the server must count it as a client
};

class ServerWatch {
 public:
  // Nothing is set again sooner than this after it was set the last time.
  static constexpr std::uint64_t kMendNs = 1 * kNanosPerSecond;
  // A look may fall between two things that change together, such as a dump connection that stands
  // and the server's count of clients. So these must differ in this many looks in a row.
  static constexpr std::uint32_t kSettledLooks = 3;

  struct Change {
    ServerSetting setting = ServerSetting::timeout;
    bool differs = false;  // false: it is as it should be again
    std::string text;      // for the log
  };

  // One look, begun after the newest of our own SETs. What has changed since the last one.
  std::vector<Change> look(const ServerWishes& wishes, const SemiSyncStatus& seen,
                           const SemiSyncNames& names);
  // A setting that is to be set again now; the caller tries, and says what came of it.
  std::optional<ServerSetting> due(std::uint64_t now_ns) const noexcept;
  // `failure` is empty, or why it could not be set. True: that is news, to be logged.
  bool mended(ServerSetting setting, std::string failure, std::uint64_t now_ns);

  // One sentence for each setting that differs, read_only apart.
  std::vector<std::string> differences() const;
  // Empty while the server is as read-only as it was made.
  std::string read_only_problem() const;
  std::uint64_t times_mended() const noexcept { return times_mended_; }
  // Another server process, or another role: nothing is known.
  void forget() noexcept { states_ = {}; }

 private:
  struct State {
    std::uint32_t looks = 0;     // in a row in which it differed
    std::string text;            // what differs; empty: nothing
    std::string mend_failure;    // why it could not be set again
    std::uint64_t tried_ns = 0;  // 0: never
  };
  std::string sentence(const State& state) const;

  std::array<State, kServerSettings> states_;
  std::uint64_t times_mended_ = 0;
};

}  // namespace binlane
