// The lookups by which views of the daemon's answers find members: `binlane status`, `top`, tables,
// metrics.
//
// A member that is missing, or of another type than the view wants, counts as missing, and never
// causes an exception, because the daemon may be older or newer. But a view that looks up what no
// daemon gives shows nonsense for ever (a replica's feed was "not listening" because a text was
// read as a flag). So every failed lookup is reported to a LookupWatch, if there is one: tests
// render each view from a whole answer of the real daemon, and expect none.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace binlane {

// The member, or null.
const nlohmann::json& member(const nlohmann::json& object, const char* name);
// A text that only writes itself on a terminal; empty for null.
std::string text_of(const nlohmann::json& object, const char* name);
// A text unchanged, of many lines: a document that is written out as it is.
std::string document_of(const nlohmann::json& object, const char* name);
// 0 for null.
double number_of(const nlohmann::json& object, const char* name);
std::uint64_t count_of(const nlohmann::json& object, const char* name);
// Whether it is a number and not null.
bool has_number(const nlohmann::json& object, const char* name);
bool flag_of(const nlohmann::json& object, const char* name);

// A failed lookup by other means than these.
void note_miss(const char* name, const char* wanted);

// While it lives, on its thread: the failed lookups, each once, as "name: what was wanted".
class LookupWatch {
 public:
  LookupWatch();
  ~LookupWatch();
  LookupWatch(const LookupWatch&) = delete;
  LookupWatch& operator=(const LookupWatch&) = delete;

  const std::vector<std::string>& misses() const noexcept { return misses_; }

 private:
  friend void note_miss(const char* name, const char* wanted);
  std::vector<std::string> misses_;
};

}  // namespace binlane
