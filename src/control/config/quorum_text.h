// The text form of quorum rules, in the style of PostgreSQL's synchronous_standby_names:
//
//   rule   := clause { AND clause } [ LEVEL level ]
//   clause := ANY k ( name { , name } )            any k of them
//           | FIRST k ( name { , name } )          the first k that are connected and not slow
//           | k FROM EACH zone                     k of every zone's replicas
//   level  := received | durable | applied          (durable when left out)
//
// Key words are case-insensitive, names are not; space is free. Example: "ANY 1 (r1, r2)". The
// level says what a replica must have done before its acknowledgement counts; it holds for all
// clauses. FROM EACH zone is written out as one ANY clause a zone, so that whoever reads the rule
// later need not know the zones. For ordinary threads.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dataplane/session/quorum_rule.h"

namespace binlane {

// The longest rule text that is examined.
inline constexpr std::size_t kMaxQuorumTextLength = 4096;

// Says what is wrong with a rule's text, and the offset of the word concerned.
struct QuorumTextError {
  std::string message;
  std::size_t offset = 0;
};

// `replica_names`: the configured replicas, in order; a name's index is the member's bit. `zones`:
// theirs, in the same order. The rule's number remains 0: the code that puts a rule into force
// numbers it.
std::variant<QuorumRule, QuorumTextError> parse_quorum_rule(
    std::string_view text, std::span<const std::string> replica_names,
    std::span<const std::string> zones = {});

// The names in a rule's text, each once, in order; for rules of other hosts.
std::vector<std::string> names_in_quorum_text(std::string_view text);

// Canonical form: "ANY 1 (r1, r2)", with " LEVEL received" only when the level is not the default.
std::string to_string(const QuorumRule& rule, std::span<const std::string> replica_names);

// Replicas that appear in any clause.
ReplicaSet members_of(const QuorumRule& rule) noexcept;

const char* to_string(AckLevel level) noexcept;

}  // namespace binlane
