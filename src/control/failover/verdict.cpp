#include "control/failover/verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/mutant.h"

namespace binlane {
namespace {

// "GTID 0-1-42 ends at 3:1234 of the stream f0c1… term 1 (binlog)".
std::string where(const VerdictFacts& facts) {
  const std::string stream =
      facts.stream ? "the stream " + to_string(facts.stream->stream) : "this host's binlogs";
  if (*facts.end <= facts.begins_at)
    return fmt::format("it came to this host as a replica, before {} began at {}", stream,
                       to_string(facts.begins_at));
  return fmt::format("{} ends at {} of {}", facts.gtid.empty() ? "it" : "GTID " + facts.gtid,
                     to_string(*facts.end), stream);
}

// The position at which a promotion ended the stream decides, on any host that has it on record.
Verdict judge_by_seal(const VerdictFacts& facts) {
  Verdict verdict;
  const std::string stream = to_string(facts.stream->stream);
  const Position sealed_at = *facts.stream->sealed_at;
  if (!facts.end) {
    verdict.evidence.push_back(facts.problem);
    verdict.evidence.push_back(fmt::format(
        "a promotion sealed the stream {} at {}: everything up to there is durable, and nothing "
        "after it is in any later stream",
        stream, to_string(sealed_at)));
    return verdict;
  }
  const bool below = *facts.end <= sealed_at;
  verdict.kind = below ? VerdictKind::durable : VerdictKind::absent;
  verdict.evidence.push_back(where(facts));
  verdict.evidence.push_back(fmt::format("a promotion sealed that stream at {}, {} it",
                                         to_string(sealed_at), below ? "not before" : "before"));
  return verdict;
}

Verdict judge_on_source(const VerdictFacts& facts) {
  Verdict verdict;
  const auto say = [&verdict](std::string line) { verdict.evidence.push_back(std::move(line)); };
  if (!facts.end) {
    if (facts.not_here && facts.live) {
      verdict.kind = VerdictKind::absent;
      say("it is not in the source's binlog, and this host is the source");
      return verdict;
    }
    say(facts.problem.empty()
            ? "this host's source side is not running, so its binlog may be incomplete"
            : facts.problem);
    return verdict;
  }
  say(where(facts));
  say(fmt::format("a quorum by the rule {} has everything up to {}", facts.rule,
                  to_string(facts.quorum)));
  say(fmt::format("the source has synced everything up to {}", to_string(facts.synced)));
  if (*facts.end <= facts.quorum && *facts.end <= facts.synced) verdict.kind = VerdictKind::durable;
  return verdict;
}

Verdict judge_on_fenced(const VerdictFacts& facts) {
  Verdict verdict;
  const auto say = [&verdict](std::string line) { verdict.evidence.push_back(std::move(line)); };
  say("this host was the source, and is FENCED");
  if (!facts.end) {
    say(facts.problem.empty() ? "it is not in this host's binlog; ask the new source"
                              : facts.problem);
    return verdict;
  }
  say(where(facts));
  if (!facts.sealed_at) {
    say("where the stream was sealed is not known here yet, because the new source has not "
        "contacted this host");
    return verdict;
  }
  say(fmt::format("the stream was sealed at {}", to_string(*facts.sealed_at)));
  if (!facts.same_as_sealed) {
    say("this host's binlog is not the same as the sealed stream");
    return verdict;
  }
  verdict.kind = *facts.end <= *facts.sealed_at ? VerdictKind::durable : VerdictKind::absent;
  return verdict;
}

// Clients may have got OK before a quorum had the transaction.
void say_exposures(const VerdictFacts& facts, Verdict& verdict) {
  for (const Exposure& exposure : facts.exposures) {
    if (facts.end && exposure.covers(*facts.end))
      verdict.evidence.push_back(fmt::format(
          "it may have been released to its client without a quorum: {}", to_string(exposure)));
  }
}

Verdict judge_on_replica(const VerdictFacts& facts) {
  Verdict verdict;
  const auto say = [&verdict](std::string line) { verdict.evidence.push_back(std::move(line)); };
  if (!facts.end) {
    say(facts.problem.empty() ? "this replica does not hold it; other replicas may hold more"
                              : facts.problem);
    say(fmt::format("this replica holds the stream up to {}", to_string(facts.durable)));
    return verdict;
  }
  say(fmt::format("{}, which this replica holds up to {}", where(facts), to_string(facts.durable)));
  say_exposures(facts, verdict);
  if (*facts.end > facts.durable) return verdict;
  if (BL_MUTANT(diverged_verdict, false, facts.diverged)) {
    say("this replica is DIVERGED: ask the source of the later term, or a replica of that source");
    return verdict;
  }
  if (*facts.end > facts.released) {
    say(fmt::format(
        "the source has told this replica that everything up to {} is safe, but nothing after it",
        to_string(facts.released)));
    return verdict;
  }
  say("the source has synced it");
  if (!facts.alone_is_quorum) {
    say(fmt::format(
        "by the rule {} this replica alone is no quorum; ask the source or other replicas",
        facts.rule));
    return verdict;
  }
  say(fmt::format("by the rule {} this replica alone is a quorum", facts.rule));
  verdict.kind = VerdictKind::durable;
  return verdict;
}

}  // namespace

const char* to_string(VerdictKind kind) noexcept {
  switch (kind) {
    case VerdictKind::durable:
      return "DURABLE";
    case VerdictKind::absent:
      return "ABSENT";
    case VerdictKind::in_doubt:
      return "IN-DOUBT";
  }
  return "?";
}

StreamChoice stream_of_position(const std::vector<KnownStream>& known,
                                std::optional<std::uint32_t> term, std::uint32_t heard_of) {
  std::string names;
  std::uint32_t newest = heard_of;
  for (const KnownStream& one : known) {
    if (one.stream.term == term) return {one, {}};
    newest = std::max(newest, one.stream.term);
    names += fmt::format("{}{}{}", names.empty() ? "" : ", ", to_string(one.stream),
                         one.sealed_at ? " sealed at " + to_string(*one.sealed_at) : "");
  }
  if (names.empty()) names = "none";
  if (term)
    return {std::nullopt,
            fmt::format("this host has no record of a stream of term {}; it knows: {}. Ask a host "
                        "that was there, or give the transaction's GTID",
                        *term, names)};
  constexpr std::uint32_t kFirstTerm = 1;
  if (known.size() == 1 && newest <= kFirstTerm) return {known.front(), {}};
  return {std::nullopt,
          fmt::format("a position alone does not name a transaction once a host was promoted, "
                      "because positions of two streams cannot be compared: give the "
                      "transaction's GTID, or the term in which it was written (--term N). This "
                      "host knows the streams: {}",
                      names)};
}

Verdict judge_transaction(const VerdictFacts& facts) {
  if (!facts.stream && !facts.problem.empty()) return {VerdictKind::in_doubt, {facts.problem}};
  if (facts.stream && facts.stream->sealed_at) return judge_by_seal(facts);
  switch (facts.role) {
    case HostRole::source:
      return judge_on_source(facts);
    case HostRole::fenced:
      return judge_on_fenced(facts);
    case HostRole::standby:
      return judge_on_replica(facts);
  }
  return {};
}

}  // namespace binlane
