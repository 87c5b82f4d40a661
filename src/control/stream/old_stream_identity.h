// old_stream_identity: how a host presents itself that serves a stream which somebody else wrote: a
// candidate that seals it, or whoever lends it. Pure; shared by the daemon and the simulator.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/source_handshake.h"
#include "storage/journal_meta.h"

namespace binlane {

// Who serves `old_stream`, of which `meta` tells, in the term of `promise`.
SourceHandshake::Identity old_stream_identity(std::uint64_t cluster_id, const std::string& name,
                                              const StreamIdentity& old_stream,
                                              const JournalMeta& meta, const Promise& promise);

}  // namespace binlane
