// AdminRequests: the verbs of the admin protocol (include/binlane/admin.h) and how one request line
// becomes one answer line. No I/O; handlers run inside answer().
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "binlane/admin.h"

namespace binlane {

// Who asks, as the kernel reports.
struct AdminPeer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  bool is_operator = true;  // may change things
};

// Who may ask for a verb: whoever can connect, or operators only.
//
// An operator's verb that may lose something, or hide that something was lost, is not carried out
// unless the request can be recorded, or says that it need not be (admin::kWithoutAudit). A verb
// that protects (fence) or keeps the service running (degrade) is carried out all the same, because
// a failing disk may be the reason for it.
enum class AdminRole : std::uint8_t { reader, op, op_on_record };

enum class AuditStage : std::uint8_t {
  asked,    // and not begun yet
  begun,    // it continues after the answer; its end is a line of its own (AuditLog::ended)
  answered  // `error` says how
};

// How long an answer may take: a long one is computed on a thread of its own (AdminWorker).
enum class AdminPace : std::uint8_t { quick, takes_long };

// A request for an operator's verb, for the audit log.
struct AuditEntry {
  AdminPeer peer;
  std::string_view verb;
  const nlohmann::json& request;
  AuditStage stage = AuditStage::asked;
  std::string_view error;  // empty: it was done
};

struct AdminError {
  std::string field;  // of the request; empty: the request as a whole
  std::string message;
};

using AdminReply = std::variant<nlohmann::json, AdminError>;
using AdminHandler = std::function<AdminReply(const nlohmann::json& request, const AdminPeer&)>;

struct AdminAnswer {
  std::string line;    // with its newline
  bool error = false;  // it reports an error
  bool fatal = false;  // the connection ends after it
};

class AdminRequests {
 public:
  // The verb "ping" exists from the beginning.
  AdminRequests();
  void on(std::string verb, AdminHandler handler, AdminRole role = AdminRole::reader,
          AdminPace pace = AdminPace::quick);
  // Called, by any thread, for every request of an operator's verb: before it is carried out, and
  // with its result, also for refusals, before it is answered. Returns nothing, or why the request
  // is not recorded.
  using Audit = std::function<std::string(const AuditEntry&)>;
  void on_audit(Audit audit) { audit_ = std::move(audit); }

  // `line` without its newline; any thread.
  bool takes_long(std::string_view line) const;
  AdminAnswer answer(std::string_view line, const AdminPeer& peer) const;
  // The answer to a request that is longer than allowed.
  static AdminAnswer too_long();

 private:
  struct Verb {
    AdminHandler handler;
    AdminRole role = AdminRole::reader;
    AdminPace pace = AdminPace::quick;
  };
  AdminReply carry_out(const std::string& name, const Verb& verb, const nlohmann::json& request,
                       const AdminPeer& peer) const;

  std::map<std::string, Verb, std::less<>> handlers_;
  Audit audit_;
};

// An answer that reports an error.
std::string admin_error_line(std::string_view field, std::string_view message);

}  // namespace binlane
