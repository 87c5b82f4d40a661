// old_stream_identity: how a host presents itself that serves a stream which another host wrote: a
// candidate that seals it, or a donor. Pure; shared by the daemon and the simulator.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/session/source_handshake.h"
#include "storage/journal/journal_meta.h"

namespace binlane {

// The identity that serves `old_stream`, which `meta` describes, in the term of `promise`.
SourceHandshake::Identity old_stream_identity(std::uint64_t cluster_id, const std::string& name,
                                              const StreamIdentity& old_stream,
                                              const JournalMeta& meta, const Promise& promise);

}  // namespace binlane
