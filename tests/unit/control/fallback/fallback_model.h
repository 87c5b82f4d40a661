// A source in miniature for tests of the fallback state machine: a server with semi-sync, clients
// that commit and wait, a quorum that follows, a ledger in memory, and a clock that is turned by
// hand.
//
// Every commit that returns to its client although no quorum has it is written down as exposed,
// with the time at which it happened; the tests compare that with what the ledger says.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/fallback/fallback.h"

namespace binlane {

struct ModelInterval {
  std::uint64_t from = 0;
  std::optional<std::uint64_t> to;
  bool own = false;
};

struct ModelExposure {
  std::uint64_t mark = 0;
  bool by_binlane = false;     // woken by an OFF that Binlane sent
  bool recorded_then = false;  // an open interval covered it at that moment
};

class FallbackModel {
 public:
  explicit FallbackModel(const FallbackOptions& options = {}, const FallbackStart& start = {})
      : fallback(options, start) {}

  // --- the world, to be changed by the test
  bool connected = true;  // replicas
  bool acker = true;      // dump connection
  bool reachable = true;  // command connection
  bool ledger_works = true;
  bool off_works = true;
  bool on_works = true;
  bool read_only_works = true;
  bool read_only = false;  // as Binlane has made it
  bool quorum_moves = true;
  bool lane_publishes = true;     // else the marks that are handed in stay as they were
  bool lane_has_backlog = false;  // it has not read what was written since
  std::uint64_t quorum_lag = 0;   // how far the quorum lags, in marks
  bool enabled = false;
  bool status = false;
  bool foreign = false;           // another semi-sync client, which acknowledges whatever waits
  bool foreign_seen = true;       // and a look at the server shows it
  bool foreign_unclear = false;   // not for certain
  std::uint64_t acked_ahead = 0;  // what it has acknowledged; remains until OFF
  bool numbering_over = false;
  std::uint32_t run = 1;
  ServerCounters counters;
  std::uint32_t era = 0;

  // --- what has come of it
  Fallback fallback;
  std::vector<std::string> trace;  // actions, in order
  std::vector<ModelInterval> intervals;
  std::vector<ModelExposure> exposed;
  std::uint64_t now_ms = 1'000;
  std::uint64_t written = 1'000;
  std::uint64_t quorum = 1'000;

  // Lets `length_ms` pass in turns of 10 ms, a look at the server every 100 ms.
  void run_for(std::uint64_t length_ms) {
    for (const std::uint64_t end = now_ms + length_ms; now_ms < end;) turn(10);
  }
  // Lets time pass until the state is reached; false after `most_ms`.
  bool run_until(FallbackState state, std::uint64_t most_ms = 120'000) {
    for (const std::uint64_t end = now_ms + most_ms; now_ms < end;) {
      if (fallback.state() == state) return true;
      turn(10);
    }
    return fallback.state() == state;
  }

  void turn(std::uint64_t length_ms) {
    now_ms += length_ms;
    move_quorum();
    if (fallback.state() == FallbackState::semisync) read_only = false;
    FallbackInputs in;
    in.now_ns = now_ms * kNanosPerMilli;
    if (!lane_has_backlog) all_read_ns_ = in.now_ns;
    if (lane_publishes)
      published_ = {in.now_ns, lane_has_backlog ? published_.written : written, quorum};
    if (now_ms >= next_poll_ms_) {
      next_poll_ms_ = now_ms + 100;
      const auto others = !foreign || !foreign_seen ? OtherAckers::none
                          : foreign_unclear         ? OtherAckers::unclear
                                                    : OtherAckers::present;
      in.poll = ServerPoll{in.now_ns, run, enabled, status, counters, others, waiting.size()};
    }
    // Every action may lead to the next at once, as in the control thread.
    for (int i = 0; i < 8; ++i) {
      in.sampled_ns = published_.at_ns;
      in.all_read_ns = std::min(all_read_ns_, published_.at_ns);
      in.era = era;
      in.written = mark(published_.written);
      in.dump = mark(published_.written);
      in.quorum = mark(published_.quorum);
      in.quorum_connected = connected;
      in.acker_registered = acker;
      in.server_reachable = reachable;
      in.numbering_over = numbering_over;
      const auto action = fallback.tick(in);
      in.poll.reset();
      if (!action) break;
      const bool done = carry_out(*action);
      fallback.complete(done, in.now_ns);
    }
  }

  // A client commits: it waits if the server does, and returns at once if it does not.
  void commit() {
    if (read_only) return;
    written += 10;
    if (enabled && status && written > acked_ahead)
      waiting.push_back(written);
    else
      expose(written, false);
  }
  // The server lets the oldest waiting group go and counts it as acknowledged.
  void kill_waiters() {
    for (const std::uint64_t at : waiting) {
      ++counters.yes_tx;
      expose(at, false);
    }
    waiting.clear();
  }
  // The server's own timeout.
  void server_gives_up() {
    if (!enabled || !status) return;
    status = false;
    ++counters.no_times;
    release_all(false, true);
  }
  void operator_sets(bool on) {
    if (on) {
      enabled = status = true;
    } else {
      enabled = status = false;
      release_all(false, false);
    }
  }
  void restart_server(bool comes_back_on) {
    release_all(false, false);
    ++run;
    counters = {};
    enabled = status = comes_back_on;
  }

  static FallbackMark mark(std::uint64_t linear) { return {linear, {1, linear}}; }
  std::vector<std::uint64_t> waiting;

 private:
  void move_quorum() {
    if (quorum_moves && connected && written >= quorum_lag + quorum) quorum = written - quorum_lag;
    if (!enabled || !status) return;
    if (foreign || numbering_over) kill_waiters();  // counts them as acknowledged as well
    if (!acker) return;
    // Acknowledged commits return.
    std::vector<std::uint64_t> left;
    for (const std::uint64_t at : waiting) {
      if (at <= quorum)
        ++counters.yes_tx;
      else
        left.push_back(at);
    }
    waiting = left;
  }

  void release_all(bool by_binlane, bool counted) {
    for (const std::uint64_t at : waiting) {
      if (counted) ++counters.no_tx;
      expose(at, by_binlane);
    }
    waiting.clear();
  }

  void expose(std::uint64_t at, bool by_binlane) {
    if (at <= quorum) return;
    bool recorded = false;
    for (const ModelInterval& interval : intervals)
      recorded = recorded || (!interval.to && interval.from < at);
    exposed.push_back({at, by_binlane, recorded});
  }

  bool carry_out(const FallbackAction& action) {
    switch (action.kind) {
      case FallbackAction::Kind::open_interval:
        trace.push_back(action.exposure == ExposureKind::own ? "record own" : "record server");
        if (!ledger_works) return false;
        expose_in_ledger(action.position.offset, action.exposure == ExposureKind::own);
        return true;
      case FallbackAction::Kind::make_read_only:
        trace.push_back(read_only_works ? "READ ONLY" : "READ ONLY fails");
        read_only = read_only_works;
        return read_only_works;
      case FallbackAction::Kind::turn_off:
        trace.push_back(off_works ? "OFF" : "OFF fails");
        if (!off_works) return false;
        enabled = status = false;
        acked_ahead = 0;
        release_all(true, true);
        return true;
      case FallbackAction::Kind::turn_on:
        trace.push_back(on_works ? "ON" : "ON fails");
        if (!on_works) return false;
        enabled = status = true;
        return true;
      case FallbackAction::Kind::close_intervals:
        trace.push_back("close");
        if (!ledger_works) return false;
        for (ModelInterval& interval : intervals) {
          if (!interval.to) interval.to = std::max(interval.from, action.position.offset);
        }
        return true;
    }
    return false;
  }

  void expose_in_ledger(std::uint64_t from, bool own) {
    for (ModelInterval& interval : intervals) {
      if (interval.to || interval.from > from) continue;
      interval.own = interval.own || own;
      return;
    }
    intervals.push_back({from, std::nullopt, own});
  }

  struct Published {
    std::uint64_t at_ns = 0;
    std::uint64_t written = 0;
    std::uint64_t quorum = 0;
  };

  Published published_;
  std::uint64_t all_read_ns_ = 0;
  std::uint64_t next_poll_ms_ = 0;
};

}  // namespace binlane
