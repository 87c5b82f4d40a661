// VerbOptions: how a verb declares its own options, without each verb's file compiling the whole of
// CLI11 (six seconds a file, with gcc 12). verb_options.cpp is the one place that turns this into
// CLI11's calls.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace binlane::cli {

// One option that was declared, to say more about it.
class VerbOption {
 public:
  explicit VerbOption(CLI::Option& option) : option_(option) {}

  VerbOption& required();
  // Not together with `other`.
  VerbOption& excludes(VerbOption& other);
  VerbOption& between(int least, int most);
  VerbOption& one_of(std::initializer_list<const char*> words);
  VerbOption& one_of_in_any_case(std::initializer_list<const char*> words);
  // The help names the value that the option has if it is not given.
  VerbOption& shows_default();

 private:
  CLI::Option& option_;
};

// The options of one verb. A name that begins with -- is an option's, any other an argument's. The
// values belong to the caller and outlive the parser.
class VerbOptions {
 public:
  explicit VerbOptions(CLI::App& app) : app_(app) {}

  VerbOption flag(const char* name, bool& value, const char* help);
  VerbOption text(const char* name, std::string& value, const char* help);
  VerbOption number(const char* name, std::uint32_t& value, const char* help);
  VerbOption number(const char* name, std::uint64_t& value, const char* help);

 private:
  CLI::App& app_;
};

}  // namespace binlane::cli
