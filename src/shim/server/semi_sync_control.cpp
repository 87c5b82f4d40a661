#include "shim/server/semi_sync_control.h"

#include "base/assert.h"
#include "base/number_text.h"

namespace binlane {
namespace {

constexpr std::uint32_t kErrorBadAnswer = 2027;  // CR_MALFORMED_PACKET

// Variables and counters in one statement, so that a poll is one round trip.
std::string make_poll_sql(const SemiSyncNames& names, const ServerWords& words) {
  const std::string pattern = "Rpl\\_semi\\_sync\\_%";
  std::string sql;
  const auto add = [&](const std::string& label, const std::string& variable) {
    sql += "SELECT '" + label + "', " + variable_as_text(words, variable) + " UNION ALL ";
  };
  add("enabled", names.enabled);
  add("timeout", names.timeout);
  add("wait_point", names.wait_point);
  add("wait_no_replica", names.wait_no_replica);
  add("read_only", words.fence);
  add("sync_binlog", "sync_binlog");
  add("flush_log", "innodb_flush_log_at_trx_commit");
  return sql + "SELECT VARIABLE_NAME, VARIABLE_VALUE FROM " + words.status_table +
         " WHERE VARIABLE_NAME LIKE '" + pattern + "' OR VARIABLE_NAME = 'Uptime'";
}

bool parse(const std::string& text, std::uint64_t& out) {
  const auto number = parse_number<std::uint64_t>(text);
  if (number) out = *number;
  return number.has_value();
}

bool parse(const std::string& text, std::string& out) {
  out = text;
  return true;
}

bool parse(const std::string& text, bool& out) {
  out = text == "ON" || text == "1";
  return out || text == "OFF" || text == "0";
}

bool parse(const std::string& text, WaitPoint& out) {
  out = text == to_sql(WaitPoint::after_sync) ? WaitPoint::after_sync : WaitPoint::after_commit;
  return text == to_sql(out);
}

bool same_name(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    // MariaDB's information_schema gives names in capitals, SHOW STATUS does not.
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

constexpr std::size_t kPrefixLength = 4;  // of "Rpl_"

bool is_status_name(const std::string& name) {
  return name.size() > kPrefixLength && same_name(name.substr(0, kPrefixLength), "Rpl_");
}

// In SHOW STATUS's spelling.
std::string as_shown(std::string name) {
  for (std::size_t i = 1; i < name.size(); ++i) {
    if (name[i] >= 'A' && name[i] <= 'Z') name[i] = static_cast<char>(name[i] + 32);
  }
  return name;
}

}  // namespace

const char* to_sql(WaitPoint point) noexcept {
  return point == WaitPoint::after_sync ? "AFTER_SYNC" : "AFTER_COMMIT";
}

SemiSyncNames semi_sync_names(SemiSyncWords words) {
  BL_ASSERT(words != SemiSyncWords::none);
  const bool modern = words == SemiSyncWords::source_replica;
  const std::string base = modern ? "rpl_semi_sync_source_" : "rpl_semi_sync_master_";
  const std::string status = modern ? "Rpl_semi_sync_source_" : "Rpl_semi_sync_master_";
  return {.enabled = base + "enabled",
          .timeout = base + "timeout",
          .wait_point = base + "wait_point",
          .wait_no_replica = base + (modern ? "wait_no_replica" : "wait_no_slave"),
          .status = status + "status",
          .clients = status + "clients",
          .yes_tx = status + "yes_tx",
          .no_tx = status + "no_tx",
          .no_times = status + "no_times",
          .wait_sessions = status + "wait_sessions",
          .get_ack = status + "get_ack",
          .replica_user_variable = modern ? "rpl_semi_sync_replica" : "rpl_semi_sync_slave"};
}

void note_switched(SemiSyncStatus& status, const SemiSyncNames& names, bool on) {
  status.enabled = status.status_on = on;
  for (auto& [name, value] : status.shown) {
    if (same_name(name, names.status)) value = on ? "ON" : "OFF";
  }
}

SemiSyncControl::SemiSyncControl(ServerConnection& connection, SemiSyncWords words,
                                 ServerFlavour flavour)
    : connection_(connection),
      names_(semi_sync_names(words)),
      poll_sql_(make_poll_sql(names_, words_of(flavour))),
      since_start_sql_(on_since_start_sql(words_of(flavour), names_.enabled)) {}

SqlError SemiSyncControl::set_wait_point(WaitPoint point) {
  return set(names_.wait_point, quote_sql(to_sql(point)));
}

SqlError SemiSyncControl::set_server_timeout(std::uint64_t server_timeout_ms,
                                             std::uint64_t our_timeout_ms) {
  BL_ASSERT(server_timeout_ms >= our_timeout_ms + kBackstopMarginMs);
  return set(names_.timeout, std::to_string(server_timeout_ms));
}

SqlError SemiSyncControl::set_wait_no_replica(bool on) {
  return set(names_.wait_no_replica, on ? "ON" : "OFF");
}

SqlError SemiSyncControl::set_enabled(bool on) {
  return set(names_.enabled, on ? "ON" : "OFF");
}

SqlError SemiSyncControl::prepare(WaitPoint point, std::uint64_t server_timeout_ms,
                                  std::uint64_t our_timeout_ms) {
  SqlError error = set_wait_point(point);
  if (error.ok()) error = set_server_timeout(server_timeout_ms, our_timeout_ms);
  if (error.ok()) error = set_wait_no_replica(true);
  return error;
}

bool SemiSyncControl::on_since_start() {
  const QueryResult answer = connection_.query(since_start_sql_);
  if (!answer.ok() || answer.rows.size() != 1 || answer.rows[0].size() != 3) return false;
  const SqlRow& row = answer.rows[0];
  return row[0] == "ON" && row[1] == "1" && row[2] == "1";
}

SqlError SemiSyncControl::set(const std::string& variable, const std::string& value) {
  return connection_.set_global(variable, value);
}

SemiSyncPoll SemiSyncControl::poll() {
  const QueryResult answer = connection_.query(poll_sql_);
  if (!answer.ok()) return {answer.error, {}};
  SemiSyncPoll poll;
  SemiSyncStatus& status = poll.status;
  // Each must be found, because a missing one would read as 0 or OFF, which would be a claim. MySQL
  // has no get_ack.
  unsigned missing = 0;
  const auto take = [&](const std::string& name, auto& out) {
    for (const SqlRow& row : answer.rows) {
      if (row.size() == 2 && row[0] && row[1] && same_name(*row[0], name) && parse(*row[1], out))
        return true;
    }
    return false;
  };
  const auto need = [&](const std::string& name, auto& out) { missing += take(name, out) ? 0 : 1; };
  need("enabled", status.enabled);
  need("wait_point", status.wait_point);
  need("wait_no_replica", status.wait_no_replica);
  // Newer servers have more values than ON and OFF (NO_LOCK); with only one of its values the
  // server takes writes.
  std::string read_only;
  need("read_only", read_only);
  status.read_only = read_only != "0" && read_only != "OFF";
  need("timeout", status.timeout_ms);
  need("sync_binlog", status.sync_binlog);
  need("flush_log", status.innodb_flush_log_at_trx_commit);
  need("uptime", status.uptime_s);
  need(names_.status, status.status_on);
  need(names_.clients, status.clients);
  need(names_.yes_tx, status.yes_tx);
  need(names_.no_tx, status.no_tx);
  need(names_.no_times, status.no_times);
  need(names_.wait_sessions, status.wait_sessions);
  take(names_.get_ack, status.get_ack);
  for (const SqlRow& row : answer.rows) {
    if (row.size() == 2 && row[0] && row[1] && is_status_name(*row[0]))
      status.shown.emplace_back(as_shown(*row[0]), *row[1]);
  }
  if (missing != 0)
    return {{kErrorBadAnswer, "the server's semi-sync status lacks " + std::to_string(missing) +
                                  " fields or has them in an unknown form"},
            {}};
  return poll;
}

}  // namespace binlane
