#include "control/config/quorum_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <vector>

#include "base/assert.h"
#include "control/config/suggest.h"

namespace binlane {
namespace {

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
}

// A cursor over the text. The first error is kept; whatever is parsed after it does not matter.
class Parser {
 public:
  Parser(std::string_view text, std::span<const std::string> names,
         std::span<const std::string> zones)
      : text_(text), names_(names), zones_(zones) {}

  std::variant<QuorumRule, QuorumTextError> parse() {
    do {
      parse_clause();
    } while (!failed_ && take_word("AND"));
    if (!failed_ && take_word("LEVEL")) parse_level();
    skip_space();
    if (!failed_ && at_ < text_.size())
      fail(fmt::format("unexpected '{}' after the rule", next_word()));
    if (failed_) return error_;
    BL_ASSERT(rule_.clause_count > 0);
    return rule_;
  }

 private:
  void fail(std::string message) {
    if (failed_) return;
    failed_ = true;
    skip_space();
    error_ = {std::move(message), at_};
  }

  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  // The word or the single character that comes next, without taking it.
  std::string_view next_word() {
    skip_space();
    std::size_t end = at_;
    while (end < text_.size() && is_name_character(text_[end])) ++end;
    if (end == at_ && end < text_.size()) ++end;
    return text_.substr(at_, end - at_);
  }

  bool take_word(std::string_view word) {
    const std::string_view next = next_word();
    if (!same_word(next, word)) return false;
    at_ += next.size();
    return true;
  }

  void expect(std::string_view word) {
    if (failed_ || take_word(word)) return;
    const std::string_view next = next_word();
    if (next.empty())
      fail(fmt::format("expected '{}' at the end of the rule", word));
    else
      fail(fmt::format("expected '{}' before '{}'", word, next));
  }

  void parse_clause() {
    const std::string_view word = next_word();
    if (!word.empty() && std::isdigit(static_cast<unsigned char>(word.front())) != 0)
      return parse_zones();
    const bool ordered = same_word(word, "FIRST");
    if (!take_word("ANY") && !take_word("FIRST")) {
      if (word.empty()) return fail("expected a clause such as ANY 1 (r1, r2), found the end");
      return fail(fmt::format("expected a clause such as ANY 1 (r1, r2), found '{}'", word));
    }
    QuorumClause clause;
    clause.ordered = ordered;
    const std::size_t count_at = (skip_space(), at_);
    const unsigned needed = parse_count();
    expect("(");
    do {
      parse_member(clause);
    } while (!failed_ && take_word(","));
    expect(")");
    if (failed_) return;
    const int size = std::popcount(clause.members);
    if (needed > static_cast<unsigned>(size)) {
      at_ = count_at;
      return fail(fmt::format("{} {} can never be satisfied: it lists {} replica{}",
                              ordered ? "FIRST" : "ANY", needed, size, size == 1 ? "" : "s"));
    }
    clause.count = needed;
    if (!ordered) clause.order = {};  // the same rule, in whatever order its members are named
    add(clause);
  }

  void add(const QuorumClause& clause) {
    if (rule_.clause_count == kMaxClauses)
      return fail(fmt::format("more than {} clauses", kMaxClauses));
    rule_.clauses[rule_.clause_count++] = clause;
  }

  // n FROM EACH zone: a clause ANY n for every zone.
  void parse_zones() {
    const std::size_t begin = at_;
    const unsigned needed = parse_count();
    expect("FROM");
    expect("EACH");
    expect("ZONE");
    if (failed_) return;
    at_ = begin;  // whatever is wrong from here on concerns the clause as a whole
    std::vector<std::string_view> seen;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const std::string_view zone = i < zones_.size() ? std::string_view(zones_[i]) : "";
      if (zone.empty())
        return fail(fmt::format("FROM EACH zone: replica '{}' has no zone", names_[i]));
      if (std::find(seen.begin(), seen.end(), zone) == seen.end()) seen.push_back(zone);
    }
    if (seen.empty()) return fail("FROM EACH zone: there are no replicas");
    for (const std::string_view zone : seen) {
      QuorumClause clause;
      for (std::size_t i = 0; i < names_.size(); ++i) {
        if (zones_[i] == zone) clause.members |= ReplicaSet{1} << i;
      }
      clause.count = needed;
      const int size = std::popcount(clause.members);
      if (needed > static_cast<unsigned>(size))
        return fail(
            fmt::format("{} FROM EACH zone can never be satisfied: zone '{}' has {} replica{}",
                        needed, zone, size, size == 1 ? "" : "s"));
      add(clause);
    }
    if (failed_) return;
    at_ = begin;
    next_word();
    for (int word = 0; word < kZoneWords; ++word) at_ += next_word().size();
  }

  unsigned parse_count() {
    const std::string_view word = next_word();
    unsigned count = 0;
    const auto [stop, code] = std::from_chars(word.data(), word.data() + word.size(), count);
    if (word.empty() || code != std::errc{} || stop != word.data() + word.size()) {
      fail(fmt::format("expected a number of replicas, found '{}'", word));
    } else if (count == 0) {
      fail("a quorum of 0 replicas protects nothing; the number must be 1 or more");
    } else {
      at_ += word.size();
    }
    return count;
  }

  void parse_member(QuorumClause& clause) {
    if (failed_) return;
    const std::string_view word = next_word();
    if (word.empty() || !is_name_character(word.front()))
      return fail(fmt::format("expected a replica's name, found '{}'", word));
    for (std::size_t i = 0; i < names_.size() && i < kMaxReplicas; ++i) {
      if (names_[i] != word) continue;
      const ReplicaSet bit = ReplicaSet{1} << i;
      if ((clause.members & bit) != 0)
        return fail(fmt::format("replica '{}' is listed twice", word));
      clause.order[static_cast<std::size_t>(std::popcount(clause.members))] =
          static_cast<std::uint8_t>(i);
      clause.members |= bit;
      at_ += word.size();
      return;
    }
    fail(fmt::format("'{}' is not a configured replica (known: {})", word,
                     fmt::join(names_.begin(), names_.end(), ", ")));
  }

  void parse_level() {
    for (const AckLevel level : {AckLevel::received, AckLevel::durable, AckLevel::applied}) {
      if (take_word(to_string(level))) {
        rule_.level = level;
        return;
      }
    }
    fail(fmt::format("expected received, durable or applied, found '{}'", next_word()));
  }

  std::string_view text_;
  // "n", "FROM", "EACH", "zone".
  static constexpr int kZoneWords = 4;

  std::span<const std::string> names_;
  std::span<const std::string> zones_;
  std::size_t at_ = 0;
  QuorumRule rule_;
  QuorumTextError error_;
  bool failed_ = false;
};

}  // namespace

std::variant<QuorumRule, QuorumTextError> parse_quorum_rule(
    std::string_view text, std::span<const std::string> replica_names,
    std::span<const std::string> zones) {
  if (text.size() > kMaxQuorumTextLength)
    return QuorumTextError{fmt::format("longer than {} characters", kMaxQuorumTextLength), 0};
  if (replica_names.size() > kMaxReplicas)
    return QuorumTextError{fmt::format("more than {} replicas", kMaxReplicas), 0};
  return Parser(text, replica_names, zones).parse();
}

std::vector<std::string> names_in_quorum_text(std::string_view text) {
  std::vector<std::string> names;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_name_character(text[end])) ++end;
    if (end == at) {
      if (text[at] == '(') inside = true;
      if (text[at] == ')') inside = false;
      ++at;
      continue;
    }
    std::string name(text.substr(at, end - at));
    if (inside && std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(std::move(name));
    at = end;
  }
  return names;
}

std::string to_string(const QuorumRule& rule, std::span<const std::string> replica_names) {
  std::string text;
  BL_ASSERT(rule.clause_count <= kMaxClauses);
  for (std::uint32_t c = 0; c < rule.clause_count; ++c) {
    const QuorumClause& clause = rule.clauses[c];
    if (!text.empty()) text += " AND ";
    text += fmt::format("{} {} (", clause.ordered ? "FIRST" : "ANY", clause.count);
    std::vector<std::string_view> members;
    const auto count = static_cast<std::size_t>(std::popcount(clause.members));
    for (std::size_t i = 0; i < kMaxReplicas; ++i) {
      if (clause.ordered ? i >= count : (clause.members >> i & 1U) == 0) continue;
      const std::size_t member = clause.ordered ? clause.order[i] : i;
      BL_ASSERT(member < replica_names.size());
      members.push_back(replica_names[member]);
    }
    text += fmt::format("{})", fmt::join(members, ", "));
  }
  if (rule.level != AckLevel::durable) text += fmt::format(" LEVEL {}", to_string(rule.level));
  return text;
}

ReplicaSet members_of(const QuorumRule& rule) noexcept {
  ReplicaSet all = 0;
  for (std::uint32_t c = 0; c < rule.clause_count; ++c) all |= rule.clauses[c].members;
  return all;
}

const char* to_string(AckLevel level) noexcept {
  switch (level) {
    case AckLevel::received:
      return "received";
    case AckLevel::durable:
      return "durable";
    case AckLevel::applied:
      return "applied";
  }
  return "?";
}

}  // namespace binlane
