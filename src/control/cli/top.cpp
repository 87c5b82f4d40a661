#include "control/cli/top.h"

// Its macros would replace names such as timeout() everywhere.
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>

#include "binlane/admin.h"
#include "control/cli/ask.h"
#include "control/cli/status_view.h"

namespace binlane::cli {
namespace {

// Counters of the server go back when they are reset; a rate never does.
double rate(std::uint64_t before, std::uint64_t now, double seconds) {
  return now < before || seconds <= 0 ? 0 : static_cast<double>(now - before) / seconds;
}

int print_screens(const Context& context, const TopOptions& options) {
  std::optional<TopSample> before;
  for (std::uint32_t i = 0; i < options.count; ++i) {
    if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(options.interval_ms));
    int code = kExitOk;
    const auto status = ask(context, admin::kVerbStatus, code);
    if (!status) return code;
    const TopSample now = top_sample(*status);
    if (context.as_json)
      print_json(*status);
    else
      fmt::print("{}{}", i > 0 ? "\n" : "", top_screen(*status, before, now));
    before = now;
  }
  return kExitOk;
}

// Restores the terminal, whatever happens.
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
  std::optional<TopSample> before;
  int code = kExitOk;
  {
    const Screen screen;
    ::timeout(static_cast<int>(options.interval_ms));
    do {
      const auto status = ask(context, admin::kVerbStatus, code);
      if (!status) break;
      const TopSample now = top_sample(*status);
      ::erase();
      ::mvaddstr(0, 0, "binlane top; q ends it\n");
      // One column less, because a line that fills the last one makes curses begin another.
      const auto columns = static_cast<std::size_t>(std::max(2, COLS) - 1);
      ::addstr(cut_lines(top_screen(*status, before, now), columns).c_str());
      ::refresh();
      before = now;
    } while (::getch() != 'q');
  }
  return code;
}

}  // namespace

TopSample top_sample(const json& status) {
  TopSample sample;
  sample.at = std::chrono::steady_clock::now();
  if (!status.contains("source")) return sample;
  const json& source = member(status, "source");
  sample.acknowledged = count_of(member(source, "server"), "yes_tx");
  sample.counted = text_of(member(source, "server"), "counted");
  const json& replicas = member(source, "replicas");
  if (!replicas.is_array()) return sample;
  for (const json& replica : replicas) {
    sample.bytes += count_of(member(replica, "counters"), "bytes");
    sample.retransmits += count_of(member(replica, "counters"), "retransmits");
  }
  return sample;
}

std::string top_screen(const json& status, const std::optional<TopSample>& before,
                       const TopSample& now) {
  std::string rates = "rates        -\n";
  if (before) {
    const double seconds = std::chrono::duration<double>(now.at - before->at).count();
    rates =
        fmt::format("rates        {:.0f} acknowledged {}/s, {}/s sent, {:.0f} retransmissions/s\n",
                    rate(before->acknowledged, now.acknowledged, seconds), now.counted,
                    bytes_text(rate(before->bytes, now.bytes, seconds)),
                    rate(before->retransmits, now.retransmits, seconds));
  }
  return rates + "\n" + status_text(status);
}

int top(const Context& context, const TopOptions& options) {
  if (options.count > 0) return print_screens(context, options);
  if (::isatty(STDOUT_FILENO) == 0) {
    fmt::print(stderr, "binlane: standard output is no terminal; give --count N\n");
    return kExitUsage;
  }
  return live_screen(context, options);
}

}  // namespace binlane::cli
