#include "control/metrics_endpoint.h"

#include <civetweb.h>
#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "base/error.h"
#include "control/metrics.h"
#include "control/metrics_protobuf.h"

namespace binlane {
namespace {

constexpr const char* kThreads = "1";
constexpr const char* kPath = "/metrics";
constexpr const char* kTextContentType = "text/plain; version=0.0.4; charset=utf-8";
constexpr int kOk = 200;
constexpr int kMethodNotAllowed = 405;

}  // namespace

MetricsEndpoint::MetricsEndpoint(const std::string& listen, std::function<nlohmann::json()> status)
    : status_(std::move(status)) {
  const char* options[] = {"listening_ports", listen.c_str(), "num_threads", kThreads, nullptr};
  server_ = mg_start(nullptr, nullptr, options);
  if (server_ == nullptr)
    throw StartupError(fmt::format("metrics_listen {}: cannot listen there", listen));
  mg_set_request_handler(server_, kPath, &MetricsEndpoint::serve, this);
}

MetricsEndpoint::~MetricsEndpoint() {
  mg_stop(server_);
}

int MetricsEndpoint::serve(mg_connection* connection, void* self) {
  if (std::string_view(mg_get_request_info(connection)->request_method) != "GET") {
    mg_send_http_error(connection, kMethodNotAllowed, "%s", "");
    return kMethodNotAllowed;
  }
  const auto status = static_cast<const MetricsEndpoint*>(self)->status_();
  const bool protobuf = accepts_protobuf(mg_get_header(connection, "Accept"));
  const std::string body = protobuf ? metrics_protobuf(status) : metrics_text(status);
  mg_send_http_ok(connection, protobuf ? kProtobufContentType : kTextContentType,
                  static_cast<long long>(body.size()));
  mg_write(connection, body.data(), body.size());
  return kOk;
}

}  // namespace binlane
