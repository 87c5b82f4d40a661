// Serves a folder of binlog files as the feed does, for the check against real servers. Its
// standard input moves the limit:
//   limit <file number> <offset>     everything before it may be served
//   status                           answers with one line of JSON
// It ends with its input. The first line it writes is "port <number>".

#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "shim/feed/binlog_server.h"
#include "shim/feed/fixed_feed_limit.h"

namespace {

nlohmann::json to_json(const binlane::FeedStatus& status) {
  nlohmann::json clients = nlohmann::json::array();
  for (const auto& client : status.clients) {
    clients.push_back({{"server_id", client.server_id},
                       {"dumping", client.dumping},
                       {"by_gtid", client.by_gtid},
                       {"ahead", client.ahead},
                       {"file", client.position.file},
                       {"offset", client.position.offset},
                       {"events", client.events},
                       {"bytes", client.bytes}});
  }
  return {{"clients", clients},
          {"accepted", status.accepted},
          {"refused_full", status.refused_full},
          {"refused_logins", status.refused_logins},
          {"dropped_logins", status.dropped_logins},
          {"dumps", status.dumps},
          {"refused_dumps", status.refused_dumps},
          {"stalled_clients", status.stalled_clients},
          {"broken_clients", status.broken_clients},
          {"superseded", status.superseded},
          {"restarts", status.restarts},
          {"heartbeats", status.heartbeats},
          {"events", status.events},
          {"bytes", status.bytes},
          {"last_error", status.last_error},
          {"gap", status.gap}};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Serves a folder of binlog files to replicas.");
  binlane::FeedOptions options;
  std::string basename = "binlog";
  options.listen = "127.0.0.1:0";
  app.add_option("--archive", options.archive_dir)->required();
  app.add_option("--basename", basename);
  app.add_option("--listen", options.listen);
  app.add_option("--user", options.user)->required();
  std::string password;
  app.add_option("--password", password);
  app.add_option("--server-id", options.server_id);
  app.add_option("--max-clients", options.max_clients);
  CLI11_PARSE(app, argc, argv);
  options.password = binlane::Secret(password);
  options.basename = [basename] { return basename; };

  binlane::FixedFeedLimit limit;
  binlane::BinlogServer server(options, limit);
  if (const std::string problem = server.start(); !problem.empty()) {
    std::cerr << problem << '\n';
    return 1;
  }
  std::cout << "port " << server.port() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "limit") {
      binlane::Position position;
      words >> position.file >> position.offset;
      limit.set(position);
      std::cout << "ok" << std::endl;
    } else if (command == "status") {
      std::cout << to_json(server.status()).dump() << std::endl;
    } else {
      std::cerr << "unknown command: " << line << '\n';
      return 1;
    }
  }
  server.stop();
  return 0;
}
