// MetricsEndpoint: serves the metrics over HTTP for Prometheus. Its threads are prometheus-cpp's.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace prometheus {
class Exposer;
class Collectable;
}  // namespace prometheus

namespace binlane {

class MetricsEndpoint {
 public:
  // `listen`: address:port. `status` is called on the endpoint's threads. Throws StartupError.
  MetricsEndpoint(const std::string& listen, std::function<nlohmann::json()> status);
  ~MetricsEndpoint();
  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

 private:
  std::shared_ptr<prometheus::Collectable> source_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace binlane
