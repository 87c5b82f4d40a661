// Counts what a whole test program allocates, for tests of code that must not: link
// allocation_counter.cpp.
#pragma once

#include <cstdint>

namespace binlane::test {

std::uint64_t allocation_count() noexcept;

}  // namespace binlane::test
