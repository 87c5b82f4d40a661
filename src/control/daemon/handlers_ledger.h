// A daemon's answers about its ledger: the intervals, the transactions in them, and a person's
// acknowledgement. Admin thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/admin/admin_requests.h"
#include "control/source/control_thread.h"

namespace binlane {

AdminReply list_ledger(ControlThread& control);
// Its answer; pure.
nlohmann::json ledger_json(const std::vector<LedgerInterval>& intervals, const SourceView& view);
// {"id": N}: the event groups of one interval, read from the server's binlogs.
AdminReply list_ledger_groups(ControlThread& control, const nlohmann::json& request);
// {"id": N}: all intervals up to N.
AdminReply acknowledge_ledger(ControlThread& control, const nlohmann::json& request,
                              const AdminPeer& peer);

}  // namespace binlane
