// What a daemon answers about its ledger: the intervals, the transactions in them, and a person's
// confirmation. Admin thread.
#pragma once

#include <nlohmann/json.hpp>

#include "control/admin_requests.h"
#include "control/source_control.h"

namespace binlane {

AdminReply list_ledger(SourceControl& control);
// Its answer; pure.
nlohmann::json ledger_json(const std::vector<LedgerInterval>& intervals,
                           const SourceControl::View& view);
// {"id": N}: the event groups of one interval, read from the server's binlogs.
AdminReply list_ledger_groups(SourceControl& control, const nlohmann::json& request);
// {"id": N}: all intervals up to N.
AdminReply acknowledge_ledger(SourceControl& control, const nlohmann::json& request,
                              const AdminPeer& peer);

}  // namespace binlane
