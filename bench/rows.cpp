#include "rows.h"

#include <cstdio>
#include <fstream>

#include "base/clock.h"
#include "base/error.h"

namespace binlane::bench {
namespace {}  // namespace

void Rows::add(const std::string& name, std::uint32_t round, const Json& more,
               const Histogram& ns) {
  Json row = more;
  row["count"] = ns.count();
  row["p50_us"] = to_micros(ns.quantile(0.50));
  row["p99_us"] = to_micros(ns.quantile(0.99));
  row["p999_us"] = to_micros(ns.quantile(0.999));
  row["max_us"] = to_micros(ns.max());
  add(name, round, row);
}

void Rows::add(const std::string& name, std::uint32_t round, const Json& more) {
  Json row{{"name", name}, {"round", round}};
  row.update(more);
  rows_.push_back(row);
}

void Rows::write(const std::string& path) const {
  const std::string text = Json{{"rows", rows_}}.dump(1);
  if (path.empty()) {
    std::puts(text.c_str());
    return;
  }
  std::ofstream file(path);
  file << text << '\n';
  if (!file.flush()) throw StartupError("cannot write " + path);
}

}  // namespace binlane::bench
