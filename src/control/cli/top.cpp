#include "control/cli/top.h"

// Its macros would take names such as timeout() from everybody.
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>

#include "binlane/admin.h"
#include "control/cli/ask.h"
#include "control/status_text.h"

namespace binlane::cli {
namespace {

using Clock = std::chrono::steady_clock;

// What is shown as a rate, of one look.
struct Sample {
  Clock::time_point at;
  std::uint64_t acknowledged = 0;
  std::uint64_t bytes = 0;
  std::uint64_t retransmits = 0;
};

Sample sample_of(const json& status) {
  Sample sample;
  sample.at = Clock::now();
  const json& source = member(status, "source");
  sample.acknowledged = count_of(member(source, "server"), "yes_tx");
  const json& replicas = member(source, "replicas");
  if (!replicas.is_array()) return sample;
  for (const json& replica : replicas) {
    sample.bytes += count_of(member(replica, "counters"), "bytes");
    sample.retransmits += count_of(member(replica, "counters"), "retransmits");
  }
  return sample;
}

// Counters of the server go back when they are reset; a rate never does.
double rate(std::uint64_t before, std::uint64_t now, double seconds) {
  return now < before || seconds <= 0 ? 0 : static_cast<double>(now - before) / seconds;
}

std::string screen_text(const json& status, const std::optional<Sample>& before,
                        const Sample& now) {
  std::string rates = "rates        -\n";
  if (before) {
    const double seconds = std::chrono::duration<double>(now.at - before->at).count();
    rates = fmt::format(
        "rates        {:.0f} acknowledged commits/s, {}/s sent, {:.0f} "
        "retransmissions/s\n",
        rate(before->acknowledged, now.acknowledged, seconds),
        bytes_text(rate(before->bytes, now.bytes, seconds)),
        rate(before->retransmits, now.retransmits, seconds));
  }
  return rates + "\n" + status_text(status);
}

int print_screens(const Context& context, const TopOptions& options) {
  std::optional<Sample> before;
  for (std::uint32_t i = 0; i < options.count; ++i) {
    if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(options.interval_ms));
    int code = kExitOk;
    const auto status = ask(context, admin::kVerbStatus, code);
    if (!status) return code;
    const Sample now = sample_of(*status);
    if (context.as_json)
      print_json(*status);
    else
      fmt::print("{}{}", i > 0 ? "\n" : "", screen_text(*status, before, now));
    before = now;
  }
  return kExitOk;
}

// The terminal as it was, whatever happens.
struct Screen {
  Screen() {
    ::initscr();
    ::cbreak();
    ::noecho();
    ::curs_set(0);
  }
  ~Screen() { ::endwin(); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
};

int live_screen(const Context& context, const TopOptions& options) {
  std::optional<Sample> before;
  int code = kExitOk;
  {
    const Screen screen;
    ::timeout(static_cast<int>(options.interval_ms));
    do {
      const auto status = ask(context, admin::kVerbStatus, code);
      if (!status) break;
      const Sample now = sample_of(*status);
      ::erase();
      ::mvaddstr(0, 0, "binlane top; q ends it\n");
      ::addstr(screen_text(*status, before, now).c_str());
      ::refresh();
      before = now;
    } while (::getch() != 'q');
  }
  return code;
}

}  // namespace

int top(const Context& context, const TopOptions& options) {
  if (options.count > 0) return print_screens(context, options);
  if (::isatty(STDOUT_FILENO) == 0) {
    fmt::print(stderr, "binlane: standard output is no terminal; give --count N\n");
    return kExitUsage;
  }
  return live_screen(context, options);
}

}  // namespace binlane::cli
