#include "control/cli/status_view.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "base/position.h"
#include "control/admin/json_view.h"

namespace binlane {
namespace {

using nlohmann::json;

constexpr int kLabelWidth = 13;
constexpr double kMiB = 1024.0 * 1024;

std::string count_text(const json& object, const char* name) {
  return fmt::format("{:.0f}", number_of(object, name));
}

// "binlog.000017:4096", or "-" for a position that does not exist.
std::string position_text(const json& position, const std::string& basename) {
  if (!position.is_object()) return "-";
  const json& file = member(position, "file");
  if (!file.is_number_unsigned() || file.get<std::uint64_t>() > UINT32_MAX) return "-";
  const auto number = file.get<std::uint32_t>();
  const std::string name =
      basename.empty() ? fmt::format("{}", number) : binlog_file_name(basename, number);
  return fmt::format("{}:{}", name, count_text(position, "offset"));
}

class Page {
 public:
  void heading(std::string_view title, std::string_view rest) {
    if (!text_.empty()) text_ += '\n';
    add(fmt::format("{:<{}}  {}", title, kLabelWidth, rest));
  }
  void line(std::string_view label, std::string_view rest) {
    if (!rest.empty()) add(fmt::format("  {:<{}}{}", label, kLabelWidth, rest));
  }
  // Columns as wide as their widest cell; the last one is not padded.
  void table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
      widths.resize(std::max(widths.size(), row.size()));
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows) {
      std::string line = " ";
      for (std::size_t i = 0; i < row.size(); ++i)
        line += fmt::format(" {:<{}} ", row[i], i + 1 == row.size() ? 0 : widths[i]);
      add(std::move(line));
    }
  }
  std::string take() { return std::move(text_); }

 private:
  void add(std::string line) {
    while (line.ends_with(' ')) line.pop_back();
    text_ += line + '\n';
  }
  std::string text_;
};

std::string transition_line(const json& transition, const std::string& basename) {
  if (!transition.is_object()) return {};
  std::string line = fmt::format("{} -> {}: {}", text_of(transition, "from"),
                                 text_of(transition, "to"), text_of(transition, "reason"));
  if (has_number(transition, "ago_ms"))
    line += fmt::format(", {} ago", duration_text(number_of(transition, "ago_ms") * 1000));
  if (member(transition, "position").is_object())
    line += fmt::format(", quorum at {}", position_text(member(transition, "position"), basename));
  return line;
}

std::string server_line(const json& server) {
  if (!server.is_object()) return {};
  if (text_of(server, "version").empty()) return "not seen yet";
  return fmt::format("{}; semi-sync {}{}, {} {} acknowledged, {} not", text_of(server, "version"),
                     flag_of(server, "status_on") ? "ON" : "OFF",
                     flag_of(server, "enabled") ? "" : " (disabled)", count_text(server, "yes_tx"),
                     text_of(server, "counted"), count_text(server, "no_tx"));
}

std::string counted(const json& object, const char* name, const char* one, const char* many) {
  const std::string count = count_text(object, name);
  return fmt::format("{} {}", count, count == "1" ? one : many);
}

std::string ledger_line(const json& ledger) {
  if (!ledger.is_object()) return {};
  const std::string line = fmt::format(
      "{}, {} open, {} released without a quorum", counted(ledger, "entries", "entry", "entries"),
      count_text(ledger, "open"), counted(ledger, "exposed_groups", "event group", "event groups"));
  const json& uncountable = member(ledger, "uncountable");
  if (!uncountable.is_number_unsigned() || uncountable.get<std::uint64_t>() == 0) return line;
  return fmt::format("{}, and an unknown number in {}", line,
                     counted(ledger, "uncountable", "interval", "intervals"));
}

std::string counters_line(const json& counters) {
  if (!counters.is_object()) return {};
  return fmt::format("{} degrades, {} recoveries, {} releases by the server",
                     count_text(counters, "degrades"), count_text(counters, "recoveries"),
                     count_text(counters, "server_releases"));
}

// Of a host with both sections one is active. What the other would show of itself (no quorum, no
// dump connection, a source that is away) is normal, and would look broken.
bool print_idle_source(Page& page, const json& source) {
  if (text_of(source, "state") != "STANDBY") return false;
  page.heading("source", "standby: another host is the source");
  page.line("problem", text_of(source, "problem"));
  return true;
}

// Which hosts this end hears, and that another one sent to it.
std::string heard_text(const json& sources) {
  if (!sources.is_object()) return {};
  const std::string from = text_of(sources, "from");
  if (from == "anybody")
    return "everybody who can send it a datagram: set replica.sources (binlane doctor)";
  if (from == "socket") return "whoever may open its socket";
  std::string list;
  for (const json& one : member(sources, "heard"))
    if (one.is_string()) list += (list.empty() ? "" : ", ") + one.get<std::string>();
  return list;
}

std::string strangers_text(const json& side) {
  const std::string last = text_of(side, "unknown_peer");
  if (last.empty()) return {};
  return fmt::format(
      "{} datagrams from addresses that belong to no peer were dropped, the last from {}",
      count_text(member(side, "counters"), "unknown_peers"), last);
}

void print_source(Page& page, const json& source) {
  if (print_idle_source(page, source)) return;
  const std::string basename = text_of(source, "basename");
  page.heading("source", fmt::format("{}{}", text_of(source, "state"),
                                     flag_of(source, "blocked") ? " (blocked)" : ""));
  page.line("problem", text_of(source, "problem"));
  page.line("no writes", text_of(source, "write_problem"));
  page.line("fenced", text_of(source, "fence_reason"));
  page.line("epoch", text_of(source, "epoch"));
  page.line("quorum rule", text_of(source, "rule"));
  for (const char* mark : {"written", "synced", "quorum", "released"})
    page.line(mark, position_text(member(source, mark), basename));
  page.line("server", server_line(member(source, "server")));
  if (number_of(source, "other_ackers") > 0)
    page.line("others", fmt::format("{} semi-sync clients besides Binlane acknowledge commits",
                                    count_text(source, "other_ackers")));
  const json& dump = member(source, "dump");
  page.line("dump",
            fmt::format("{}{}{}", text_of(dump, "state"),
                        text_of(dump, "problem").empty() ? "" : ": ", text_of(dump, "problem")));
  const json& ledger = member(source, "ledger");
  page.line("ledger", ledger_line(ledger));
  page.line("", text_of(ledger, "failure"));
  page.line("counters", counters_line(member(source, "counters")));
  page.line("strangers", strangers_text(source));
  page.line("last", transition_line(member(source, "last_transition"), basename));

  const json& replicas = member(source, "replicas");
  if (!replicas.is_array() || replicas.empty()) return;
  std::vector<std::vector<std::string>> rows = {
      {"replica", "", "received lag", "durable lag", "round trip", ""}};
  for (const json& replica : replicas) {
    const bool connected = flag_of(replica, "connected");
    const auto lag = [&](const char* name) {
      return connected && has_number(replica, name) ? bytes_text(number_of(replica, name)) : "-";
    };
    const std::string round_trip = connected && has_number(replica, "rtt_us")
                                       ? duration_text(number_of(replica, "rtt_us"))
                                       : "-";
    std::string note = text_of(replica, "refusal");
    if (flag_of(replica, "damaged")) note += note.empty() ? "damaged" : "; damaged";
    rows.push_back({text_of(replica, "name"), connected ? "connected" : "away",
                    lag("received_lag_bytes"), lag("durable_lag_bytes"), round_trip, note});
  }
  page.table(rows);
}

// "12 files, 340 MiB; 80 GiB left, 41 days"
std::string archive_text(const json& retention) {
  std::string text = fmt::format("{} files, {:.1f} MiB", count_text(retention, "files"),
                                 number_of(retention, "bytes") / kMiB);
  if (has_number(retention, "free_bytes"))
    text += fmt::format("; {:.0f} MiB left on its disk", number_of(retention, "free_bytes") / kMiB);
  if (has_number(retention, "days_left"))
    text += fmt::format(", {:.0f} days at the present growth", number_of(retention, "days_left"));
  return text;
}

void print_replica(Page& page, const json& replica) {
  if (replica.contains("at_work") && !flag_of(replica, "at_work")) {
    page.heading("replica", "inactive: this host is a source, was one, or is being promoted");
    page.line("journal", text_of(member(replica, "journal"), "failure"));
    page.line("archive", text_of(member(replica, "archive"), "failure"));
    return;
  }
  const std::string source = text_of(replica, "source");
  // The session of a source that says nothing may continue.
  const std::string heard =
      flag_of(replica, "away") && has_number(replica, "last_heard_ms")
          ? fmt::format(", last heard {:.1f} s ago", number_of(replica, "last_heard_ms") / 1e3)
          : std::string();
  page.heading("replica", fmt::format("{}{}{}{}{}",
                                      text_of(replica, "state") == "DIVERGED" ? "DIVERGED, " : "",
                                      flag_of(replica, "connected") ? "connected" : "away",
                                      source.empty() ? "" : ", source ", source, heard));
  page.line("refused", text_of(replica, "refusal"));
  page.line("hears", heard_text(member(replica, "sources")));
  page.line("strangers", strangers_text(replica));
  page.line("epoch", text_of(replica, "epoch"));
  for (const char* mark : {"received", "durable", "released", "archived"})
    page.line(mark, position_text(member(replica, mark), ""));
  const json& journal = member(replica, "journal");
  page.line(
      "journal",
      fmt::format(
          "{} of {} blocks free{}", count_text(replica, "journal_free_blocks"),
          count_text(journal, "blocks"),
          text_of(journal, "disk").empty() ? "" : fmt::format("; {}", text_of(journal, "disk"))));
  page.line("", text_of(journal, "failure"));
  const json& archive = member(replica, "archive");
  page.line("archive", archive_text(member(archive, "retention")));
  page.line("", text_of(archive, "failure"));
  const json& feed = member(replica, "feed");
  const json& clients = member(feed, "clients");
  page.line("feed",
            fmt::format("{}, {} clients, {} events served",
                        text_of(feed, "listening").empty()
                            ? std::string("not listening")
                            : fmt::format("listening at {}", text_of(feed, "listening")),
                        clients.is_array() ? clients.size() : 0, count_text(feed, "events")));
  const std::string last_error = text_of(feed, "last_error");
  if (!last_error.empty()) page.line("", "last error: " + last_error);
}

void print_ports(Page& page, const json& ports) {
  if (!ports.is_array() || ports.empty()) return;
  page.heading("ports", "");
  for (const json& port : ports) {
    const std::string address = text_of(port, "address");
    std::string line = fmt::format("{}{}{}, of [{}]; {} packets in, {} out",
                                   flag_of(port, "attached") ? "attached" : "not attached",
                                   address.empty() ? "" : " at ", address, text_of(port, "section"),
                                   count_text(port, "rx_packets"), count_text(port, "tx_packets"));
    if (!text_of(port, "problem").empty()) line += "; " + text_of(port, "problem");
    page.table({{text_of(port, "port"), line}});
  }
}

// On top, for readers who read only one line.
void print_problems(Page& page, const json& problems) {
  if (!problems.is_array())
    return page.line("problem", "the daemon lists none: it is older than this program");
  for (const json& problem : problems)
    page.line(text_of(problem, "severity"),
              fmt::format("{} ({})", text_of(problem, "text"), text_of(problem, "code")));
}

}  // namespace

std::string status_text(const json& status) {
  Page page;
  page.heading(text_of(status, "name"), fmt::format("cluster {}", text_of(status, "cluster")));
  print_problems(page, member(status, "problems"));
  if (member(status, "source").is_object()) print_source(page, member(status, "source"));
  if (member(status, "replica").is_object()) print_replica(page, member(status, "replica"));
  print_ports(page, member(status, "ports"));
  return page.take();
}

std::string standby_text(const json& status) {
  if (text_of(member(status, "source"), "state") != "STANDBY") return {};
  const std::string source = text_of(member(status, "replica"), "source");
  return fmt::format("this host is a standby: ask the source{}",
                     source.empty() ? "" : " (" + source + ")");
}

std::string cut_lines(std::string_view text, std::size_t columns) {
  if (columns == 0) return std::string(text);
  std::string out;
  std::size_t column = 0;
  for (const char c : text) {
    if (c == '\n') column = 0;
    // A byte that continues a character is no column of its own.
    else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U)
      ++column;
    if (column <= columns) out += c;
  }
  return out;
}

std::string bytes_text(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string duration_text(double microseconds) {
  constexpr double kMs = 1e3, kS = 1e6, kMin = 60 * kS, kH = 60 * kMin;
  if (microseconds < kMs) return fmt::format("{:.0f} us", microseconds);
  if (microseconds < kS) return fmt::format("{:.1f} ms", microseconds / kMs);
  if (microseconds < 2 * kMin) return fmt::format("{:.1f} s", microseconds / kS);
  if (microseconds < 2 * kH) return fmt::format("{:.0f} min", std::floor(microseconds / kMin));
  const double hours = std::floor(microseconds / kH);
  return fmt::format("{:.0f} h {:.0f} min", hours, std::floor((microseconds - hours * kH) / kMin));
}

}  // namespace binlane
