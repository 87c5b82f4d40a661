// Rows: what a benchmark measured, one row a round, as JSON that tools/bench recomputes every ratio
// from. Nothing is averaged here.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "histogram.h"

namespace binlane::bench {

using Json = nlohmann::ordered_json;

class Rows {
 public:
  // `more`: what else distinguishes the row (bytes, loss, …); latencies of `ns` are added.
  void add(const std::string& name, std::uint32_t round, const Json& more, const Histogram& ns);
  // A row without latencies.
  void add(const std::string& name, std::uint32_t round, const Json& more);
  // One JSON document {rows: […]}: to `path`, or to standard output when that is empty. Throws
  // StartupError.
  void write(const std::string& path) const;

 private:
  std::vector<Json> rows_;
};

}  // namespace binlane::bench
