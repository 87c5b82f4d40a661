#include "transport.h"

#include <memory>

#include "lanes/near_end.h"
#include "rows.h"

namespace binlane::bench {
namespace {

FarEndOptions far_options(const TransportOptions& options, const std::string& port,
                          const std::string& folder) {
  FarEndOptions far;
  far.port = port;
  far.folder = folder;
  far.idle = options.idle;
  return far;
}

// One link, its processes and its folder.
struct Link {
  Link(const TransportOptions& options, const std::string& name, double loss_percent) : port(name) {
    FarEndOptions far = far_options(options, name, folder.path());
    far.loss = loss_percent / 100;
    near = std::make_unique<NearEnd>(far);
  }
  std::string port;
  BenchFolder folder;
  std::unique_ptr<NearEnd> near;
};

void measure_link(Link& link, const TransportOptions& options, std::uint32_t bytes,
                  std::uint32_t round, Rows& rows) {
  const Json labels{{"port", link.port}, {"bytes", bytes}};
  rows.add("transport", round, labels, link.near->round_trips(bytes, false, options.seconds));
  rows.add("transport_and_read", round, labels,
           link.near->round_trips(bytes, true, options.seconds));
  if (link.near->is_dpdk())
    rows.add("transport_raw", round, labels, link.near->raw_round_trips(bytes, options.seconds));
}

void measure_kernel(Link& link, const TransportOptions& options, std::uint32_t bytes,
                    std::uint32_t round, Rows& rows) {
  for (const SocketKind kind : {SocketKind::udp, SocketKind::tcp}) {
    for (const bool blocking : {false, true}) {
      const Json labels{{"port", kind == SocketKind::udp ? "kernel_udp" : "kernel_tcp"},
                        {"bytes", bytes},
                        {"idle", blocking ? "blocking" : "spinning"}};
      rows.add("transport_kernel", round, labels,
               link.near->socket_round_trips(kind, bytes, blocking, options.seconds));
    }
  }
}

std::vector<std::unique_ptr<Link>> connect_all(std::vector<std::unique_ptr<Link>> links) {
  for (const auto& link : links) link->near->connect();
  return links;
}

}  // namespace

int run_transport(const TransportOptions& options) {
  std::vector<std::unique_ptr<Link>> links;
  for (const std::string& port : options.ports)
    links.push_back(std::make_unique<Link>(options, port, 0));
  links = connect_all(std::move(links));
  Rows rows;
  for (std::uint32_t round = 1; round <= options.rounds; ++round) {
    for (const std::uint32_t bytes : options.bytes) {
      for (const auto& link : links) measure_link(*link, options, bytes, round, rows);
      measure_kernel(*links.front(), options, bytes, round, rows);
    }
  }
  rows.write(options.json_path);
  return 0;
}

int run_loss(const TransportOptions& options) {
  std::vector<std::unique_ptr<Link>> links;
  for (const double loss : options.loss_percent)
    links.push_back(std::make_unique<Link>(options, options.ports.front(), loss));
  links = connect_all(std::move(links));
  Rows rows;
  for (std::uint32_t round = 1; round <= options.rounds; ++round) {
    for (std::size_t i = 0; i < links.size(); ++i) {
      const NearEnd::Repairs repairs =
          links[i]->near->lossy_round_trips(options.bytes.front(), options.seconds);
      const Json labels{{"port", links[i]->port},
                        {"bytes", options.bytes.front()},
                        {"loss_percent", options.loss_percent[i]},
                        {"lost_data", repairs.lost_there},
                        {"lost_acks", repairs.lost_here}};
      rows.add("loss", round, labels, repairs.all);
      rows.add("loss_repaired", round, labels, repairs.repaired);
    }
  }
  rows.write(options.json_path);
  return 0;
}

}  // namespace binlane::bench
