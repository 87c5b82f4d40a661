#include "control/cli/ask.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "binlane/admin.h"
#include "control/admin/admin_client.h"

namespace binlane::cli {
namespace {

constexpr std::chrono::milliseconds kFollowPause{50};

}  // namespace

std::optional<json> ask(const Context& context, const char* verb, int& code, json arguments) {
  arguments[admin::kVerb] = verb;
  AdminOutcome outcome = admin_request(context.socket, arguments, context.timeout_ms);
  if (const auto* unreachable = std::get_if<AdminUnreachable>(&outcome)) {
    fmt::print(stderr, "binlane: {}\n", unreachable->message);
    code = kExitUnreachable;
    return std::nullopt;
  }
  if (const auto* error = std::get_if<AdminError>(&outcome)) {
    // A fault that the configuration's own check has found names the key itself.
    const bool named = error->field.empty() || error->message.starts_with(error->field + ": ");
    fmt::print(stderr, "binlane: {}{}{}\n", named ? "" : error->field, named ? "" : ": ",
               error->message);
    code = kExitError;
    return std::nullopt;
  }
  code = kExitOk;
  return std::get<json>(std::move(outcome));
}

int follow_status(const Context& context, std::uint32_t wait_s,
                  const std::function<bool(const json& status)>& done, const std::string& waiting) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(wait_s);
  for (;;) {
    int code = kExitOk;
    const auto status = ask(context, admin::kVerbStatus, code);
    if (!status) return code;
    if (done(*status)) return kExitOk;
    if (std::chrono::steady_clock::now() >= deadline) {
      fmt::print(stderr, "binlane: begun, but not finished yet: waiting for {}\n", waiting);
      return kExitUnfinished;
    }
    std::this_thread::sleep_for(kFollowPause);
  }
}

void print_json(const json& value) {
  fmt::print("{}\n", value.dump(2, ' ', false, json::error_handler_t::replace));
}

std::size_t terminal_columns() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    while (line.ends_with(' ')) line.pop_back();
    text += line + '\n';
  }
  return text;
}

}  // namespace binlane::cli
