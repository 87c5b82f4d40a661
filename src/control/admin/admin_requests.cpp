#include "control/admin/admin_requests.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "control/config/suggest.h"

namespace binlane {
namespace {

using nlohmann::json;

std::string line_of(const json& answer) {
  return answer.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

AdminAnswer failure(std::string_view field, std::string_view message, bool fatal = false) {
  return {admin_error_line(field, message), true, fatal};
}

}  // namespace

std::string admin_error_line(std::string_view field, std::string_view message) {
  return line_of({{"ok", false}, {"error", {{"field", field}, {"message", message}}}});
}

AdminRequests::AdminRequests() {
  on(admin::kVerbPing, [](const json&, const AdminPeer&) {
    return json{{"protocol_version", admin::kProtocolVersion}};
  });
}

void AdminRequests::on(std::string verb, AdminHandler handler, AdminRole role, AdminPace pace) {
  handlers_[std::move(verb)] = {std::move(handler), role, pace};
}

bool AdminRequests::takes_long(std::string_view line) const {
  const json request = json::parse(line, nullptr, false);
  if (!request.is_object()) return false;
  const auto verb = request.find(admin::kVerb);
  if (verb == request.end() || !verb->is_string()) return false;
  const auto handler = handlers_.find(verb->get_ref<const std::string&>());
  return handler != handlers_.end() && handler->second.pace == AdminPace::takes_long;
}

AdminReply AdminRequests::carry_out(const std::string& name, const Verb& verb, const json& request,
                                    const AdminPeer& peer) const {
  if (verb.role == AdminRole::reader) return verb.handler(request, peer);
  const auto audit = [&](AuditStage stage, std::string_view error) {
    return audit_ ? audit_({peer, name, request, stage, error}) : std::string();
  };
  AdminReply reply = AdminError{
      admin::kVerb, fmt::format("\"{}\" is for operators: root, the user binlaned runs as, and "
                                "members of admin_group; you are user {}",
                                name, peer.uid)};
  if (peer.is_operator) {
    const std::string unwritten = audit(AuditStage::asked, {});
    const auto forced = request.find(admin::kWithoutAudit);
    const bool needs_record =
        verb.role == AdminRole::op_on_record && (forced == request.end() || *forced != true);
    reply = unwritten.empty() || !needs_record
                ? verb.handler(request, peer)
                : AdminReply(AdminError{
                      "", fmt::format("nothing was done, because the request for {} cannot be "
                                      "recorded ({}); --without-audit does it all the same",
                                      name, unwritten)});
  }
  const auto* const error = std::get_if<AdminError>(&reply);
  const auto* const done = std::get_if<json>(&reply);
  const bool begun = done != nullptr && done->is_object() && done->value("begun", false);
  static_cast<void>(audit(begun ? AuditStage::begun : AuditStage::answered,
                          error == nullptr ? std::string_view() : error->message));
  return reply;
}

AdminAnswer AdminRequests::too_long() {
  return failure("", fmt::format("the request is longer than {} bytes", admin::kMaxRequestBytes),
                 true);
}

AdminAnswer AdminRequests::answer(std::string_view line, const AdminPeer& peer) const {
  const json request = json::parse(line, nullptr, false);
  if (request.is_discarded()) return failure("", "the request is not JSON", true);
  if (!request.is_object()) return failure("", "the request is not a JSON object");
  const auto verb = request.find(admin::kVerb);
  if (verb == request.end()) return failure(admin::kVerb, "is missing");
  if (!verb->is_string()) return failure(admin::kVerb, "must be a text");
  const auto& name = verb->get_ref<const std::string&>();
  const auto handler = handlers_.find(name);
  if (handler == handlers_.end()) {
    std::vector<std::string_view> known;
    for (const auto& [word, unused] : handlers_) known.push_back(word);
    const std::string_view nearest = nearest_word(name, known);
    return failure(admin::kVerb,
                   nearest.empty()
                       ? fmt::format("unknown verb; known are {}", fmt::join(known, ", "))
                       : fmt::format("unknown verb; did you mean \"{}\"?", nearest));
  }
  const AdminReply reply = carry_out(name, handler->second, request, peer);
  if (const auto* error = std::get_if<AdminError>(&reply))
    return failure(error->field, error->message);
  std::string text = line_of({{"ok", true}, {"result", std::get<json>(reply)}});
  if (text.size() > admin::kMaxResponseBytes)
    return failure("", fmt::format("the answer has {} bytes, more than the {} allowed", text.size(),
                                   admin::kMaxResponseBytes));
  return {std::move(text), false, false};
}

}  // namespace binlane
