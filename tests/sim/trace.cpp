#include "trace.h"

#include <fmt/format.h>

#include "base/clock.h"

namespace binlane::sim {

void Trace::mix(std::uint64_t value) noexcept {
  hash_ = (hash_ ^ value) * 0x100000001b3;
  hash_ ^= hash_ >> 29;
}

void Trace::mix(std::string_view text) noexcept {
  for (const char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
}

void Trace::note(std::string_view what, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  ++events_;
  mix(clock_.time_ns);
  mix(what);
  mix(a);
  mix(b);
  mix(c);
  if (print_)
    fmt::print("{:>12.3f} ms  {} {} {} {}\n",
               static_cast<double>(clock_.time_ns) / static_cast<double>(kNanosPerMilli), what, a,
               b, c);
}

void Trace::count(std::uint64_t a, std::uint64_t b) noexcept {
  ++events_;
  mix(clock_.time_ns);
  mix(a);
  mix(b);
}

void Trace::line(std::string_view text) {
  ++events_;
  mix(clock_.time_ns);
  const std::size_t at = left_out_.empty() ? text.npos : text.find(left_out_);
  mix(text.substr(0, at));
  if (at != text.npos) mix(text.substr(at + left_out_.size()));
  if (print_)
    fmt::print("{:>12.3f} ms  | {}\n",
               static_cast<double>(clock_.time_ns) / static_cast<double>(kNanosPerMilli), text);
}

}  // namespace binlane::sim
