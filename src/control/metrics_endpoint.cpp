#include "control/metrics_endpoint.h"

#include <fmt/format.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <utility>

#include "base/error.h"
#include "control/metrics.h"

namespace binlane {
namespace {

constexpr std::size_t kThreads = 1;

class StatusMetrics final : public prometheus::Collectable {
 public:
  explicit StatusMetrics(std::function<nlohmann::json()> status) : status_(std::move(status)) {}
  std::vector<prometheus::MetricFamily> Collect() const override { return metrics_of(status_()); }

 private:
  std::function<nlohmann::json()> status_;
};

}  // namespace

MetricsEndpoint::MetricsEndpoint(const std::string& listen, std::function<nlohmann::json()> status)
    : source_(std::make_shared<StatusMetrics>(std::move(status))) {
  try {
    exposer_ = std::make_unique<prometheus::Exposer>(listen, kThreads);
  } catch (const std::exception& error) {  // civetweb's own type, which is not installed
    throw StartupError(fmt::format("metrics_listen {}: {}", listen, error.what()));
  }
  exposer_->RegisterCollectable(source_);
}

MetricsEndpoint::~MetricsEndpoint() = default;

}  // namespace binlane
