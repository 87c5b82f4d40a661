// ServerWatch: compares what Binlane has set at the server with what each look shows. [S22]
//
// Somebody may change a setting without telling Binlane, or the server may not do what it was told.
// A difference is logged once, and is in the list of problems for as long as it lasts. Binlane sets
// its own settings again, at most once in kMendNs, and the next look shows whether that has helped.
// No I/O and no clock: control carries out what due() asks for. Source's control thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "shim/server/semi_sync_control.h"

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
  bool read_only = false;   // mode `fail` keeps the server read-only; false: nothing is expected
  bool registered = false;  // our dump connection is registered, so the server must count a client
};

class ServerWatch {
 public:
  // Nothing is set again sooner than this after the last attempt.
  static constexpr std::uint64_t kMendNs = 1 * kNanosPerSecond;
  // A look may come between two things that change together, such as our dump connection and the
  // server's count of clients. So these must differ at this many looks in a row.
  static constexpr std::uint32_t kSettledLooks = 3;

  struct Change {
    ServerSetting setting = ServerSetting::timeout;
    bool differs = false;  // false: it is as it should be again
    std::string text;      // for the log
  };

  // One look, which began after our newest SET. Returns what has changed since the last look.
  std::vector<Change> observe(const ServerWishes& wishes, const SemiSyncStatus& seen,
                              const SemiSyncNames& names);
  // A setting that is to be set again now. The caller tries, and reports the result to mended().
  std::optional<ServerSetting> due(std::uint64_t now_ns) const noexcept;
  // `failure` is empty, or why it could not be set. Returns true if that is news, to be logged.
  bool mended(ServerSetting setting, std::string failure, std::uint64_t now_ns);

  // One sentence for each setting that differs, except read_only.
  std::vector<std::string> differences() const;
  // Empty while the server is read-only, or need not be.
  std::string read_only_problem() const;
  std::uint64_t times_mended() const noexcept { return times_mended_; }
  // Another server process, or another role: nothing is known any more.
  void forget() noexcept { states_ = {}; }

 private:
  struct State {
    std::uint32_t looks = 0;     // looks in a row at which it differed
    std::string text;            // what differs; empty: nothing
    std::string mend_failure;    // why it could not be set again; empty: no attempt has failed
    std::uint64_t tried_ns = 0;  // 0: never
  };
  std::string sentence(const State& state) const;

  std::array<State, kServerSettings> states_;
  std::uint64_t times_mended_ = 0;
};

}  // namespace binlane
