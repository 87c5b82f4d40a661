// Runs one packet script (script.h) and says where it goes another way.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>

#include "dataplane/lane/replica_cycle.h"
#include "dataplane/lane/source_cycle.h"
#include "side.h"

namespace binlane::test {
namespace {

// Turns at one moment until nothing is left to do.
constexpr int kMaxTurns = 100;

class Run {
 public:
  explicit Run(Script script) : script_(std::move(script)) {
    if (script_.head.verb == "source") {
      side_ = make_source_side(script_.head);
    } else if (script_.head.verb == "replica") {
      side_ = make_replica_side(script_.head);
    } else {
      throw ScriptError(script_.head, "begins with source or replica");
    }
    start_ns_ = side_->clock.time_ns;
    const auto tick = script_.head.fields.find("tick");
    if (tick != script_.head.fields.end()) tick_ns_ = parse_time(tick->second);
    for (const ScriptLine& line : script_.lines) {
      if (line.kind == ScriptLine::Kind::out) expected_.push_back(&line);
    }
  }

  void run() {
    std::size_t next = 0;
    const std::uint64_t end_ns = script_.lines.back().time_ns;
    for (;;) {
      next = apply_until_now(next);
      turns();
      check_overdue();
      check_marks();
      if (now_ns_ == end_ns) break;
      advance(next);
    }
    if (next_expected_ < expected_.size())
      throw ScriptError(*expected_[next_expected_], "did not come out before the end");
    side_->finish();
  }

 private:
  std::size_t apply_until_now(std::size_t next) {
    for (; next < script_.lines.size() && script_.lines[next].time_ns <= now_ns_; ++next) {
      const ScriptLine& line = script_.lines[next];
      if (line.kind == ScriptLine::Kind::out || line.verb == "end") continue;
      if (line.kind == ScriptLine::Kind::check) {
        checks_.push_back(&line);
      } else if (line.verb == "pause") {
        resume_ns_ = now_ns_ + parse_time(line.words.at(0));
      } else {
        side_->apply(line);
      }
    }
    return next;
  }

  // A process that is stopped takes no turn.
  void turns() {
    if (now_ns_ < resume_ns_) return;
    side_->clock.time_ns = start_ns_ + now_ns_;
    int turns = 0;
    while (side_->turn() > 0) {
      if (++turns > kMaxTurns)
        throw ScriptError(fmt::format("{}: no end of work", show_time(now_ns_)));
    }
    for (const Bytes& frame : side_->port.sent) match(frame);
    side_->port.sent.clear();
    side_->look();
  }

  void match(const Bytes& bytes) {
    const ScriptPacket packet = side_->describe(view_of(bytes));
    if (next_expected_ == expected_.size())
      throw ScriptError(fmt::format("{}: nothing else was expected, but out came {}",
                                    show_time(now_ns_), packet.text()));
    const ScriptLine& line = *expected_[next_expected_];
    if (now_ns_ + line.tolerance_ns < line.time_ns)
      throw ScriptError(line,
                        fmt::format("already {} out came {}", show_time(now_ns_), packet.text()));
    const std::string difference = packet.difference(line);
    if (!difference.empty()) throw ScriptError(line, difference);
    ++next_expected_;
  }

  void check_overdue() const {
    if (next_expected_ == expected_.size()) return;
    const ScriptLine& line = *expected_[next_expected_];
    if (now_ns_ >= line.time_ns + line.tolerance_ns && now_ns_ >= resume_ns_)
      throw ScriptError(line, fmt::format("{}: a {} was expected, but nothing came out",
                                          show_time(now_ns_), line.verb));
  }

  void check_marks() {
    if (checks_.empty()) return;
    // The lane publishes its marks once it is calm, which it is before the script's next moment.
    side_->clock.time_ns += kCalmNs;
    for (int i = 0; i < 3; ++i) side_->turn();
    side_->look();
    for (const ScriptLine* line : checks_) {
      const std::string found = side_->value(*line);
      if (found != line->words.at(0))
        throw ScriptError(*line, fmt::format("{} is {}", line->verb, found));
    }
    checks_.clear();
  }

  void advance(std::size_t next) {
    std::uint64_t to_ns = now_ns_ + tick_ns_;
    if (now_ns_ < resume_ns_) to_ns = resume_ns_;
    for (std::size_t i = next; i < script_.lines.size() && script_.lines[i].time_ns < to_ns; ++i) {
      if (script_.lines[i].time_ns > now_ns_) to_ns = script_.lines[i].time_ns;
    }
    now_ns_ = to_ns;
  }

  Script script_;
  std::unique_ptr<Side> side_;
  std::uint64_t start_ns_ = 0;
  std::uint64_t now_ns_ = 0;
  std::uint64_t tick_ns_ = 1000;
  std::uint64_t resume_ns_ = 0;
  std::vector<const ScriptLine*> expected_;
  std::size_t next_expected_ = 0;
  std::vector<const ScriptLine*> checks_;
};

}  // namespace
}  // namespace binlane::test

int main(int count, char** arguments) {
  // With a line number the script tests the runner: it must fail at that line, and nowhere else.
  if (count != 2 && count != 3) {
    std::fputs("usage: script_runner SCRIPT [LINE-AT-WHICH-IT-MUST-FAIL]\n", stderr);
    return 2;
  }
  try {
    binlane::test::Run(binlane::test::read_script(arguments[1])).run();
  } catch (const binlane::test::ScriptError& error) {
    std::fprintf(stderr, "%s:%d: %s\n", arguments[1], error.line, error.what());
    return count == 3 && std::to_string(error.line) == arguments[2] ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", arguments[1], error.what());
    return 1;
  }
  if (count == 2) return 0;
  std::fprintf(stderr, "%s: should have failed\n", arguments[1]);
  return 1;
}
