#include "control/stream/old_stream_identity.h"

namespace binlane {

SourceHandshake::Identity old_stream_identity(std::uint64_t cluster_id, const std::string& name,
                                              const StreamIdentity& old_stream,
                                              const JournalMeta& meta, const Promise& promise) {
  SourceHandshake::Identity identity;
  identity.cluster_id = cluster_id;
  identity.origin = old_stream.origin;
  identity.stream_term = old_stream.term;
  identity.epoch = {promise.term, 0};
  identity.candidate = promise.candidate;
  identity.source_name = name;
  identity.basename = old_stream.basename;
  // A replica that is still in the previous stream may follow.
  if (!meta.sealed.empty()) {
    identity.sealed_origin = meta.sealed.back().stream.origin;
    identity.sealed_term = meta.sealed.back().stream.term;
    identity.sealed_at = meta.sealed.back().end;
  }
  return identity;
}

}  // namespace binlane
