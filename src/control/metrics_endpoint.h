// MetricsEndpoint: serves the metrics over HTTP for Prometheus, as text, or as protobuf to whoever
// asks for it. Its threads are civetweb's (prometheus-cpp's own server, which cannot negotiate).
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

struct mg_context;
struct mg_connection;

namespace binlane {

class MetricsEndpoint {
 public:
  // `listen`: address:port. `status` is called on the endpoint's threads. Throws StartupError.
  MetricsEndpoint(const std::string& listen, std::function<nlohmann::json()> status);
  ~MetricsEndpoint();
  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

 private:
  static int serve(mg_connection* connection, void* self);

  std::function<nlohmann::json()> status_;
  mg_context* server_ = nullptr;
};

}  // namespace binlane
