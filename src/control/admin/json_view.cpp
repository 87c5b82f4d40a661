#include "control/admin/json_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"

namespace binlane {
namespace {

using nlohmann::json;

thread_local LookupWatch* g_watch = nullptr;

}  // namespace

void note_miss(const char* name, const char* wanted) {
  if (g_watch == nullptr) return;
  std::string miss = fmt::format("{}: {}", name, wanted);
  auto& all = g_watch->misses_;
  if (std::find(all.begin(), all.end(), miss) == all.end()) all.push_back(std::move(miss));
}

namespace {

// Null is a value of every type: the value is unknown, or does not exist now.
bool is_wanted(const json& value, bool of_the_type, const char* name, const char* wanted) {
  if (!of_the_type && !value.is_null()) note_miss(name, wanted);
  return of_the_type;
}

}  // namespace

const json& member(const json& object, const char* name) {
  static const json kNull;
  if (!object.is_object()) return kNull;  // its own lookup has reported that
  const auto found = object.find(name);
  if (found != object.end()) return *found;
  note_miss(name, "missing");
  return kNull;
}

std::string text_of(const json& object, const char* name) {
  const json& value = member(object, name);
  if (!is_wanted(value, value.is_string(), name, "a text")) return {};
  // Texts of a newer or foreign daemon must not control the terminal.
  std::string out;
  for (const char c : value.get_ref<const std::string&>())
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

std::string document_of(const json& object, const char* name) {
  const json& value = member(object, name);
  return is_wanted(value, value.is_string(), name, "a text") ? value.get<std::string>()
                                                             : std::string();
}

double number_of(const json& object, const char* name) {
  const json& value = member(object, name);
  return is_wanted(value, value.is_number(), name, "a number") ? value.get<double>() : 0.0;
}

std::uint64_t count_of(const json& object, const char* name) {
  const json& value = member(object, name);
  return is_wanted(value, value.is_number_unsigned(), name, "a count") ? value.get<std::uint64_t>()
                                                                       : 0;
}

bool has_number(const json& object, const char* name) {
  const json& value = member(object, name);
  return is_wanted(value, value.is_number(), name, "a number");
}

bool flag_of(const json& object, const char* name) {
  const json& value = member(object, name);
  return is_wanted(value, value.is_boolean(), name, "a flag") && value.get<bool>();
}

LookupWatch::LookupWatch() {
  BL_ASSERT(g_watch == nullptr);
  g_watch = this;
}

LookupWatch::~LookupWatch() {
  g_watch = nullptr;
}

}  // namespace binlane
