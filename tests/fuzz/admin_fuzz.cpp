// The admin socket's request lines, and what `binlane` makes of answers.
//
// An input is {bytes}: each line a request. A second reading takes the whole as a daemon's answer
// to "status".
#include <nlohmann/json.hpp>
#include <string>
#include <variant>

#include "control/admin/admin_requests.h"
#include "control/cli/status_view.h"
#include "control/status/status_summary.h"
#include "fuzz_target.h"

namespace {

using namespace binlane;
using nlohmann::json;

void check_request(const AdminRequests& requests, std::string_view line) {
  const AdminAnswer answer = requests.answer(line, {});
  // One line, JSON, and it says whether it is an error.
  BL_ASSERT(!answer.line.empty() && answer.line.find('\n') == answer.line.size() - 1);
  const json parsed = json::parse(answer.line, nullptr, false);
  BL_ASSERT(parsed.is_object() && parsed.at("ok").is_boolean());
  BL_ASSERT(parsed.at("ok").get<bool>() == !answer.error);
  BL_ASSERT(answer.error || parsed.contains("result"));
  BL_ASSERT(!answer.error || parsed.at("error").at("message").is_string());
  BL_ASSERT(answer.error || !answer.fatal);
  // Only what is not JSON at all ends the connection.
  BL_ASSERT(answer.fatal == !json::accept(line));
}

void check_status(const std::string& text) {
  const json status = json::parse(text, nullptr, false);
  if (status.is_discarded()) return;
  const std::string lines = status_text(status);
  BL_ASSERT(lines.empty() || lines.back() == '\n');
  for (const std::string& fault : status_faults(status))
    BL_ASSERT(fault.find('\n') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > admin::kMaxRequestBytes) return 0;
  const std::string text(reinterpret_cast<const char*>(data), size);
  AdminRequests requests;
  // Returns what it got, so that any JSON is sent out again.
  requests.on("echo", [](const json& request, const AdminPeer&) -> AdminReply { return request; });
  requests.on("fail", [](const json& request, const AdminPeer&) -> AdminReply {
    return AdminError{"field", request.dump(-1, ' ', false, json::error_handler_t::replace)};
  });
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    check_request(requests, std::string_view(text).substr(at, end - at));
    at = end + 1;
  }
  check_status(text);
  return 0;
}
