#include "control/cli/stage_verbs.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <fstream>

#include "binlane/admin.h"
#include "control/cli/ask.h"
#include "control/cli/status_view.h"

namespace binlane::cli {
namespace {

constexpr double kNanosPerMicro = 1'000;
constexpr double kNanosPerMilli = 1'000'000;

struct StageOptions {
  std::string folder;
  std::uint32_t last = 20;
};
StageOptions g_stage;

// --- hist

void add_hist(VerbOptions& options) {
  options.text("--hgrm", g_stage.folder,
               "also write each stage to this folder, as NAME.hgrm (HdrHistogram's percentiles, "
               "milliseconds)");
}

std::string name_of(const json& stage) {
  const std::string replica = text_of(stage, "replica");
  return text_of(stage, "stage") + (replica.empty() ? "" : "." + replica);
}

double number(const json& object, const char* name) {
  return number_of(object, name);
}

// The form that HdrHistogram's tools plot: value, percentile, count so far, 1/(1-percentile).
std::string hgrm_text(const json& stage) {
  const double total = number(stage, "count");
  double so_far = 0;
  double square_sum = 0;
  const double mean = total == 0 ? 0 : number(stage, "sum_ns") / total;
  std::string text = fmt::format("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile",
                                 "TotalCount", "1/(1-Percentile)");
  for (const json& bucket : member(stage, "buckets")) {
    const double upper = bucket.at(0).get<double>();
    const double count = bucket.at(1).get<double>();
    so_far += count;
    square_sum += count * (upper - mean) * (upper - mean);
    const double part = so_far / total;
    text += fmt::format("{:12.6f} {:14.12f} {:10.0f}", upper / kNanosPerMilli, part, so_far);
    if (so_far < total) text += fmt::format(" {:14.2f}", 1 / (1 - part));
    text += '\n';
  }
  const double deviation = total == 0 ? 0 : std::sqrt(square_sum / total);
  return text + fmt::format(
                    "#[Mean    = {:12.6f}, StdDeviation   = {:12.6f}]\n"
                    "#[Max     = {:12.6f}, Total count    = {:12.0f}]\n",
                    mean / kNanosPerMilli, deviation / kNanosPerMilli,
                    number(stage, "max_ns") / kNanosPerMilli, total);
}

int run_hist(const Context& context) {
  int code = kExitOk;
  const auto result = ask(context, admin::kVerbHistograms, code);
  if (!result) return code;
  const json& stages = member(*result, "stages");
  if (!g_stage.folder.empty()) {
    for (const json& stage : stages) {
      const std::string path = fmt::format("{}/{}.hgrm", g_stage.folder, name_of(stage));
      std::ofstream file(path);
      file << hgrm_text(stage);
      if (!file.flush()) {
        fmt::print(stderr, "binlane: cannot write {}\n", path);
        return kExitError;
      }
    }
  }
  if (context.as_json) {
    print_json(*result);
    return kExitOk;
  }
  fmt::print("{}", stage_table(stages));
  return kExitOk;
}

// --- trace

void add_trace(VerbOptions& options) {
  options.number("--last", g_stage.last, "show this many commit groups")
      .between(1, 256)
      .shows_default();
}

int run_trace(const Context& context) {
  int code = kExitOk;
  const auto result = ask(context, admin::kVerbTrace, code, {{"last", g_stage.last}});
  if (!result) return code;
  if (context.as_json) {
    print_json(*result);
    return kExitOk;
  }
  fmt::print("{}", trace_table(*result));
  return kExitOk;
}

constexpr Verb kStageVerbs[] = {
    {"hist", "percentiles of each stage of a commit, since binlaned started",
     "binlane hist\nbinlane hist --hgrm /tmp", add_hist, run_hist},
    {"trace", "the last commit groups, stage by stage",
     "binlane trace --last 5\nbinlane trace --json", add_trace, run_trace},
};

}  // namespace

std::string trace_table(const json& trace) {
  std::vector<std::vector<std::string>> rows = {
      {"END", "AGO", "SENT", "RECEIVED", "DURABLE", "QUORUM", "FED"}};
  for (const json& commit : member(trace, "commits")) {
    const json& end = member(commit, "end");
    std::vector<std::string> row = {
        fmt::format("{}:{}", count_of(end, "file"), count_of(end, "offset")),
        duration_text(number(commit, "ago_ms") * kNanosPerMicro)};
    for (const char* name : {"sent_us", "received_us", "durable_us", "quorum_us", "fed_us"})
      row.push_back(has_number(commit, name) ? duration_text(number(commit, name)) : "-");
    rows.push_back(std::move(row));
  }
  return table_text(rows);
}

std::string stage_table(const json& stages) {
  if (stages.empty()) return "no commit has been measured yet\n";
  std::vector<std::vector<std::string>> rows = {
      {"STAGE", "COUNT", "P50", "P90", "P99", "P99.9", "MAX"}};
  for (const json& stage : stages) {
    std::vector<std::string> row = {name_of(stage), fmt::format("{}", count_of(stage, "count"))};
    for (const char* name : {"p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"})
      row.push_back(duration_text(number(stage, name) / kNanosPerMicro));
    rows.push_back(std::move(row));
  }
  return table_text(rows);
}

std::span<const Verb> stage_verbs() {
  return kStageVerbs;
}

}  // namespace binlane::cli
