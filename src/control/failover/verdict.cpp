#include "control/failover/verdict.h"

#include <fmt/format.h>

#include "base/mutant.h"

namespace binlane {
namespace {

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
  say(fmt::format("it ends at {} of the source's binlog", to_string(*facts.end)));
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
  say(fmt::format("it ends at {} of this host's binlog", to_string(*facts.end)));
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
  say(fmt::format("it ends at {} of the stream, which this replica holds up to {}",
                  to_string(*facts.end), to_string(facts.durable)));
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

Verdict judge_transaction(const VerdictFacts& facts) {
  if (!facts.sealed_stream.empty())
    return {
        VerdictKind::durable,
        {fmt::format("it is in the stream {}, before the position at which a promotion sealed it",
                     facts.sealed_stream)}};
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
