#include "shim/feed/feed_login.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "shim/feed/caching_sha2.h"
#include "shim/feed/native_password.h"

namespace binlane {
namespace {

constexpr std::uint32_t kCapabilities =
    mysql::kClientLongPassword | mysql::kClientLongFlag | mysql::kClientConnectWithDb |
    mysql::kClientProtocol41 | mysql::kClientTransactions | mysql::kClientSecureConnection |
    mysql::kClientPluginAuth | mysql::kClientConnectAttributes | mysql::kClientPluginAuthLenenc;

// A login takes a round trip or two. A client on this host needs less time than one across a
// network.
constexpr std::uint64_t kLoginTimeoutNs = 10 * kNanosPerSecond;
constexpr std::uint64_t kLocalLoginTimeoutNs = 2 * kNanosPerSecond;
constexpr std::uint16_t kBadHandshake = 1043;
constexpr std::uint16_t kAccessDenied = 1045;

}  // namespace

bool FeedLogin::run() {
  const auto challenge = mysql::random_challenge();
  if (!challenge) {
    log::error("feed_login",
               "the system's random generator returns nothing, so no login is possible");
    return false;
  }
  mysql::Handshake handshake;
  handshake.server_version = greeting_.server_version;
  handshake.plugin = greeting_.dialogue->plugins.front();
  handshake.connection_id = static_cast<std::uint32_t>(client_.id);
  handshake.challenge = *challenge;
  handshake.capabilities = kCapabilities;
  if (!line_.send(mysql::build_handshake(handshake))) return false;
  mysql::Payload payload;
  const auto status = client_.socket.read(payload, false, time_left());
  if (status != PacketSocket::Status::ok) {
    line_.count_refused_login();
    line_.count_failure(status);
    return false;
  }
  const auto response = mysql::parse_handshake_response(payload);
  if (!response) {
    line_.count_refused_login();
    line_.send_error(kBadHandshake, "08S01", "Bad handshake; note that the feed offers no TLS");
    return false;
  }
  if (check_token(*response, *challenge)) {
    client_.logged_in = true;
    client_.socket.set_max_packet(FeedClient::kMaxCommand);
    return line_.send(mysql::build_ok());
  }
  line_.count_refused_login();
  const std::string message = fmt::format("Access denied for user '{}'@'{}' (using password: {})",
                                          mysql::shown(response->user, mysql::kMaxName),
                                          client_.address, response->token.empty() ? "NO" : "YES");
  log::warning("feed_login_refused", "{}", message);
  line_.send_error(kAccessDenied, "28000", message);
  return false;
}

std::string_view FeedLogin::plugin_of(const mysql::HandshakeResponse& response) const {
  // A client that names none is older than all others but this one.
  if (response.plugin.empty()) return mysql::kNativePassword;
  const auto plugins = greeting_.dialogue->plugins;
  const auto found = std::ranges::find(plugins, response.plugin);
  return found == plugins.end() ? std::string_view() : *found;
}

bool FeedLogin::check_token(const mysql::HandshakeResponse& response,
                            const std::array<std::byte, mysql::kChallengeSize>& challenge) {
  mysql::Payload token = response.token;
  std::string_view plugin = plugin_of(response);
  const std::string_view password = options_.password.reveal();
  const std::string_view greeted = greeting_.dialogue->plugins.front();
  // A client whose plugin is not the greeting's waits until it is asked for that one's token.
  const bool waits =
      !response.plugin.empty() && plugin != greeted && token.empty() && !password.empty();
  if (plugin.empty() || waits) {
    // A plugin that is not known here is no use: what the client has sent was made for it.
    if (plugin.empty()) plugin = greeted;
    if (!line_.send(mysql::build_auth_switch(plugin, challenge))) return false;
    const auto status = client_.socket.read(token, false, time_left());
    if (status != PacketSocket::Status::ok) {
      line_.count_failure(status);
      return false;
    }
  }
  const bool user_matches = response.user == options_.user;
  if (plugin == mysql::kNativePassword)
    return mysql::native_password_matches(token, password, challenge) && user_matches;
  BL_ASSERT(plugin == mysql::kCachingSha2Password);
  if (!mysql::caching_sha2_matches(token, password, challenge) || !user_matches) return false;
  // Without a password there was nothing to check, and the client waits for OK alone.
  return password.empty() || line_.send(mysql::kFastAuthDone);
}

// One deadline covers all of the login, however it is sent.
std::uint64_t FeedLogin::time_left() const {
  const std::uint64_t allowed = client_.is_local ? kLocalLoginTimeoutNs : kLoginTimeoutNs;
  const std::uint64_t used = monotonic_ns() - client_.accepted_ns;
  return used < allowed ? allowed - used : 0;
}

}  // namespace binlane
