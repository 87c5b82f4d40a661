// Only in builds with -Dcanaries=true.
#include "base/canary.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace binlane {
namespace {

constexpr const char* kVariable = "BINLANE_CANARY";

constexpr auto kNames = std::to_array<std::string_view>({"none",
#define BINLANE_CANARY_NAME(name, rule, text) #name,
                                                         BINLANE_CANARY_LIST(BINLANE_CANARY_NAME)
#undef BINLANE_CANARY_NAME
});

// A misspelt name would make every test look blind.
Canary from_environment() {
  const char* const wanted = std::getenv(kVariable);
  if (wanted == nullptr || *wanted == '\0') return Canary::none;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == wanted) return static_cast<Canary>(i);
  }
  std::fprintf(stderr, "%s=%s: there is no such canary\n", kVariable, wanted);
  std::exit(EXIT_FAILURE);
}

}  // namespace

const Canary planted_canary = from_environment();

}  // namespace binlane
