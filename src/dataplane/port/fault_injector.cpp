#include "dataplane/port/fault_injector.h"

#include <algorithm>
#include <limits>

namespace binlane {
namespace {

std::uint64_t threshold(double probability) noexcept {
  const double bounded = std::clamp(probability, 0.0, 1.0);
  // 2^64 itself does not fit; "always" may miss one draw in 2^64.
  if (bounded >= 1.0) return std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(bounded * 0x1p64);
}

}  // namespace

FaultInjector::FaultInjector(const FaultConfig& config) noexcept
    : state_(config.seed),
      loss_(threshold(config.loss)),
      duplicate_(threshold(config.duplicate)),
      reorder_(threshold(config.reorder)),
      corrupt_(threshold(config.corrupt)) {}

// SplitMix64: 64 bits of state, every seed is as good as another.
std::uint64_t FaultInjector::draw() noexcept {
  state_ += 0x9e3779b97f4a7c15;
  std::uint64_t value = state_;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

FaultInjector::Fate FaultInjector::next() noexcept {
  // Always the same number of draws, so that changing one probability does not change the other
  // decisions of a seed.
  Fate fate;
  fate.lose = chance(loss_);
  fate.duplicate = chance(duplicate_);
  fate.reorder = chance(reorder_);
  fate.corrupt = chance(corrupt_);
  const std::uint64_t extra = draw();
  fate.delay_packets = 1 + static_cast<std::uint32_t>(extra % kFaultMaxDelayPackets);
  fate.random = static_cast<std::uint32_t>(extra >> 32);
  return fate;
}

}  // namespace binlane
