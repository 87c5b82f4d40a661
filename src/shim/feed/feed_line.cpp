#include "shim/feed/feed_line.h"

#include <utility>

#include "shim/feed/mysql_packet.h"

namespace binlane {

bool FeedLine::send(ConstBytes payload) {
  client_.socket.write(payload);
  const auto status = client_.socket.flush();
  if (status != PacketSocket::Status::ok) count_failure(status);
  return status == PacketSocket::Status::ok;
}

bool FeedLine::send_error(std::uint16_t code, std::string state, std::string message) {
  counters_.set_last_error(message);
  return send(mysql::build_error({code, std::move(state), std::move(message)}));
}

void FeedLine::count_failure(PacketSocket::Status status) {
  if (status == PacketSocket::Status::broken) ++counters_.broken_clients;
  if (status == PacketSocket::Status::timeout) ++counters_.stalled_clients;
}

void FeedLine::count_refused_login() {
  ++counters_.refused_logins;
}

}  // namespace binlane
