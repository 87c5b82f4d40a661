// The uuid with which Binlane's dump connection registers at a MySQL server.
//
// MySQL ends the connection of an earlier replica with the same uuid, whatever its server_id, and
// lets replicas with different uuids in beside each other: any of them then acknowledges. So the
// uuid is always the same for one server and one acker_server_id. A connection that Binlane has
// lost and the server has not is replaced, and two daemons that use one acker_server_id at one
// server disconnect each other, which both report. Pure.
#pragma once

#include <cstdint>

#include "base/uuid.h"

namespace binlane {

// `server`: the server's own server_uuid; the result differs from it.
Uuid acker_uuid(const Uuid& server, std::uint32_t acker_server_id) noexcept;

}  // namespace binlane
