#include "control/cli/verb_options.h"

#include <CLI/CLI.hpp>
#include <vector>

namespace binlane::cli {
namespace {

std::vector<std::string> list_of(std::initializer_list<const char*> words) {
  return {words.begin(), words.end()};
}

}  // namespace

VerbOption& VerbOption::required() {
  option_.required();
  return *this;
}

VerbOption& VerbOption::excludes(VerbOption& other) {
  option_.excludes(&other.option_);
  return *this;
}

VerbOption& VerbOption::between(int least, int most) {
  option_.check(CLI::Range(least, most));
  return *this;
}

VerbOption& VerbOption::one_of(std::initializer_list<const char*> words) {
  option_.check(CLI::IsMember(list_of(words)));
  return *this;
}

VerbOption& VerbOption::one_of_in_any_case(std::initializer_list<const char*> words) {
  option_.check(CLI::IsMember(list_of(words), CLI::ignore_case));
  return *this;
}

VerbOption& VerbOption::shows_default() {
  option_.capture_default_str();
  return *this;
}

VerbOption VerbOptions::flag(const char* name, bool& value, const char* help) {
  return VerbOption(*app_.add_flag(name, value, help));
}

VerbOption VerbOptions::text(const char* name, std::string& value, const char* help) {
  return VerbOption(*app_.add_option(name, value, help));
}

VerbOption VerbOptions::number(const char* name, std::uint32_t& value, const char* help) {
  return VerbOption(*app_.add_option(name, value, help));
}

VerbOption VerbOptions::number(const char* name, std::uint64_t& value, const char* help) {
  return VerbOption(*app_.add_option(name, value, help));
}

}  // namespace binlane::cli
