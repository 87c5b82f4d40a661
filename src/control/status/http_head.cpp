#include "control/status/http_head.h"

#include <fmt/format.h>
#include <strings.h>

namespace binlane {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kAccept = "accept";

// The text up to `end`, which is removed as well; all of the rest if `end` is missing.
std::string_view take(std::string_view& rest, std::string_view end) {
  const auto at = rest.find(end);
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + end.size());
  return taken;
}

bool is_accept(std::string_view name) {
  return name.size() == kAccept.size() &&
         ::strncasecmp(name.data(), kAccept.data(), name.size()) == 0;
}

}  // namespace

std::optional<HttpHead> parse_http_head(std::string_view head) {
  std::string_view line = take(head, kLineEnd);
  HttpHead parsed;
  parsed.method = take(line, " ");
  std::string_view target = take(line, " ");
  if (parsed.method.empty() || target.empty() || !line.starts_with("HTTP/1.")) return std::nullopt;
  parsed.path = take(target, "?");
  while (!head.empty()) {
    std::string_view value = take(head, kLineEnd);
    if (!is_accept(take(value, ":"))) continue;
    // A list may be spread over several lines.
    parsed.accept += parsed.accept.empty() ? "" : ",";
    parsed.accept += value;
  }
  return parsed;
}

std::string http_answer(int code, std::string_view reason, std::string_view content_type,
                        std::string_view body) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
      code, reason, content_type, body.size(), body);
}

}  // namespace binlane
