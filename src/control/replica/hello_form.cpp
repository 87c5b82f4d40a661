#include "control/replica/hello_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "dataplane/session/hello.h"

namespace binlane {
namespace {

// With a larger offset the sum of an offset and a length could wrap around.
constexpr std::uint64_t kMaxOffset = std::uint64_t{1} << 62;

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

std::string judge_form(const wire::HelloBody& body, const StreamIdentity& stream,
                       const Promise& candidate, std::uint32_t promised_term) {
  if (body.version_min > wire::kVersion || body.version_max < wire::kVersion)
    return fmt::format("this replica speaks version {} of the protocol, the source {} to {}",
                       wire::kVersion, body.version_min, body.version_max);
  if (!is_ended(body.source_name) || !is_ended(body.replica_name) || !is_ended(body.basename) ||
      !is_ended(body.rule) || !is_ended(body.reason))
    return "a text in the HELLO has no end";
  if (stream.origin.is_null() || stream.basename.empty()) return "the HELLO names no stream";
  if (stream.basename.find('/') != std::string::npos)
    return "the binlogs' base name contains a slash";
  if (has_control_characters(stream.basename))
    return "the binlogs' base name contains control characters";
  if (has_control_characters(field_text(body.rule)))
    return "the quorum rule contains control characters";
  if (candidate.candidate.is_null() || stream.term > candidate.term)
    return "the HELLO names no candidate for its term";
  if (stream.term == 0) return "the HELLO names a stream without a term";
  for (const wire::WirePosition& at : {body.first, body.written, body.start_at, body.sealed_at}) {
    if (from_wire(at).offset > kMaxOffset) return "the HELLO names a position beyond any file";
  }
  if (candidate.term > promised_term && candidate.term - promised_term > kMaxTermStep)
    return fmt::format(
        "term {} is {} terms after term {}, which is promised here; the largest step is {}. "
        "If this is the cluster's term, run binlane term reset on this host",
        candidate.term, candidate.term - promised_term, promised_term, kMaxTermStep);
  return {};
}

}  // namespace binlane
