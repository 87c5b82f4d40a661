// Only in builds with -Dmutants=true.
#include "base/mutant.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace binlane {
namespace {

constexpr const char* kVariable = "BINLANE_MUTANT";

constexpr auto kNames = std::to_array<std::string_view>({"none",
#define BINLANE_MUTANT_NAME(name, rule, text) #name,
                                                         BINLANE_MUTANT_LIST(BINLANE_MUTANT_NAME)
#undef BINLANE_MUTANT_NAME
});

// A misspelt name would make every test look blind.
Mutant from_environment() {
  const char* const wanted = std::getenv(kVariable);
  if (wanted == nullptr || *wanted == '\0') return Mutant::none;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == wanted) return static_cast<Mutant>(i);
  }
  std::fprintf(stderr, "%s=%s: there is no such mutant\n", kVariable, wanted);
  std::exit(EXIT_FAILURE);
}

}  // namespace

const Mutant planted_mutant = from_environment();

}  // namespace binlane
