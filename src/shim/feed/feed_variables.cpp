#include "shim/feed/feed_variables.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/assert.h"
#include "shim/feed/sql_text.h"

namespace binlane {
namespace {

// SQL's LIKE: % matches anything, _ one character, and a backslash before one of these makes it
// literal.
bool is_like(std::string_view text, std::string_view pattern) {
  // Where to continue after the last %, if what follows it does not match.
  std::size_t t = 0;
  std::size_t p = 0;
  std::size_t resume_text = std::string_view::npos;
  std::size_t resume_pattern = 0;
  while (t < text.size()) {
    const bool escaped = p + 1 < pattern.size() && pattern[p] == '\\';
    const char wanted = p < pattern.size() ? pattern[p + (escaped ? 1 : 0)] : '\0';
    if (p < pattern.size() && wanted == '%' && !escaped) {
      resume_pattern = ++p;
      resume_text = t;
    } else if (p < pattern.size() && ((wanted == '_' && !escaped) || wanted == text[t])) {
      p += escaped ? 2 : 1;
      ++t;
    } else if (resume_text != std::string_view::npos) {
      p = resume_pattern;
      t = ++resume_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '%') ++p;
  return p == pattern.size();
}

FeedVariable known(std::string value) {
  return {FeedVariable::State::known, std::move(value)};
}

}  // namespace

Uuid feed_server_uuid(const Uuid& origin) {
  // Any other server that hashes UUIDs shall come to another one.
  constexpr std::string_view kPurpose = "binlane feed";
  std::string text(kPurpose);
  text.append(origin.bytes.begin(), origin.bytes.end());
  std::array<unsigned char, 32> digest{};
  unsigned length = 0;
  const int done =
      EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
  BL_ASSERT(done == 1 && length == digest.size());
  Uuid uuid;
  std::copy_n(digest.begin(), uuid.bytes.size(), uuid.bytes.begin());
  // RFC 9562's version 8: made by a rule of one's own.
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | 0x80);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
  return uuid;
}

FeedVariable feed_variable(const FeedFacts& facts, const std::string& name) {
  const FeedVariable unavailable{FeedVariable::State::unavailable, std::nullopt};
  const FeedDialogue& dialogue = *facts.greeting.dialogue;
  for (const FeedConstant& constant : dialogue.constants) {
    if (constant.name == name) return known(std::string(constant.value));
  }
  if (std::ranges::find(dialogue.of_source, name) == dialogue.of_source.end()) return {};
  if (name == "version") return known(std::string(facts.greeting.version()));
  if (name == "gtid_binlog_pos" || name == "gtid_current_pos") {
    const auto files = facts.files();
    if (!files || files->empty()) return unavailable;
    const auto position = facts.gtid_position(files->back().name, files->back().size);
    if (!position) return unavailable;
    return {FeedVariable::State::known, *position};
  }
  if (name == "gtid_executed" || name == "gtid_purged") {
    auto set = facts.gtid_set(name == "gtid_executed" ? FeedSet::executed : FeedSet::purged);
    return set ? known(*std::move(set)) : unavailable;
  }
  const auto source = facts.source();
  if (!source) return unavailable;
  if (name == "server_id") return known(std::to_string(source->server_id));
  if (name == "server_uuid") return known(to_string(source->server_uuid));
  if (name == "gtid_mode") return known(source->anonymous ? "OFF" : "ON");
  if (name == "gtid_domain_id") return known(std::to_string(source->gtid_domain));
  return known(source->checksums ? "CRC32" : "NONE");
}

std::vector<std::string> feed_variables_like(const FeedDialogue& dialogue,
                                             std::string_view pattern) {
  const std::string wanted = lowered(pattern);
  std::vector<std::string> names;
  for (const FeedConstant& constant : dialogue.constants) {
    if (is_like(constant.name, wanted)) names.emplace_back(constant.name);
  }
  for (const std::string_view name : dialogue.of_source) {
    if (is_like(name, wanted)) names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace binlane
