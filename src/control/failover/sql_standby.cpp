#include "control/failover/sql_standby.h"

#include <fmt/format.h>

#include "base/number_text.h"
#include "base/uuid.h"
#include "control/config/config_value.h"
#include "control/failover/following.h"
#include "shim/binlog/binlog_index.h"
#include "shim/binlog/gtid_set.h"
#include "shim/server/server_facts.h"
#include "shim/server/standby_check.h"

namespace binlane {
namespace {

// The server waits for commits that wait for a quorum no longer than this before it refuses writes,
// so that nothing hangs.
constexpr unsigned kFenceWaitS = 1;

// The first value of the first row; empty for NULL, and where there is none.
std::string first_value(const QueryResult& result) {
  return result.rows.empty() ? std::string() : result.rows[0][0].value_or("");
}

}  // namespace

Status SqlStandby::connect() {
  if (sql_.is_connected()) return Status::ok();
  const SqlError error = sql_.connect();
  if (error.ok()) return Status::ok();
  return Status::failed(fmt::format("cannot connect to the server at {}: {}",
                                    config_.source->server_socket, to_string(error)));
}

Status SqlStandby::run(const std::string& sql, QueryResult& result) {
  if (!connect().is_ok())
    return Status::failed("the server to answer at " + config_.source->server_socket);
  result = sql_.query_or_close(sql);
  if (result.ok()) return Status::ok();
  return Status::failed(fmt::format("the server to accept {}: {}", sql, to_string(result.error)));
}

// An open connection may lead to a server that has ended.
Status SqlStandby::answers() {
  if (sql_.is_connected() && sql_.query("SELECT 1").ok()) return Status::ok();
  sql_.close();
  return connect();
}

Status SqlStandby::check_fit(std::vector<std::string>& warnings) {
  warnings.clear();
  if (Status answer = answers(); !answer.is_ok()) return answer;
  const ServerFactsResult facts = read_server_facts(sql_);
  if (!facts.ok())
    return Status::failed(
        fmt::format("cannot read the server's settings: {}", to_string(facts.error)));
  const SourceCheck check =
      check_source(facts.facts, static_cast<std::uint32_t>(config_.source->acker_server_id), true);
  if (!check.accepted())
    return Status::failed(
        fmt::format("this host's server cannot be a source: {}", to_string(check.refusals[0])));
  if (Status kind = check_kind(); !kind.is_ok()) return kind;
  return check_standby_facts(warnings);
}

// An archive that cannot be read now is no reason to refuse: the promotion looks at it again.
Status SqlStandby::check_kind() {
  const Result<GtidGrammar> kind = archive_.kind();
  if (!kind.is_ok()) return Status::ok();
  const std::string mismatch = kind_mismatch(words(), kind.value());
  return mismatch.empty() ? Status::ok()
                          : Status::failed("this host's server cannot take over: " + mismatch);
}

Status SqlStandby::check_standby_facts(std::vector<std::string>& warnings) {
  const StandbyFactsResult read = read_standby_facts(sql_);
  if (!read.error.ok()) return Status::failed(to_string(read.error));
  const SourceCheck check = check_standby(read.facts, endpoint_text(config_.replica->feed_listen));
  for (const Finding& warning : check.warnings)
    warnings.push_back("this host's server: " + to_string(warning));
  if (check.accepted()) return Status::ok();
  return Status::failed("this host's server cannot take over: " + to_string(check.refusals[0]));
}

Result<StandbyServer::Positions> SqlStandby::positions() {
  QueryResult binlog;
  if (Status asked = run(words().written_gtids, binlog); !asked.is_ok()) return asked;
  QueryResult replica;
  if (Status asked = run(words().executed_gtids, replica); !asked.is_ok()) return asked;
  if (binlog.rows.empty() || replica.rows.empty())
    return Status::failed("the server to tell its GTID positions");
  Positions found{first_value(replica), first_value(binlog)};
  return words().tells_own_writes ? found : without_own_writes(std::move(found));
}

// MySQL has one set for what it has executed as a replica and what it has written by itself. It has
// written what carries its own UUID and cannot come from the feed. The UUID is looked at because
// the binlogs of a source that was cloned, or given a gtid_purged, do not name what it had then.
Result<StandbyServer::Positions> SqlStandby::without_own_writes(Positions found) {
  const auto all = MysqlGtidSet::parse(found.written);
  if (!all) return Status::failed("the server to tell a set of GTIDs, instead of " + found.written);
  QueryResult answer;
  if (Status asked = run("SELECT @@GLOBAL.server_uuid", answer); !asked.is_ok()) return asked;
  const auto uuid = parse_uuid(first_value(answer));
  if (!uuid) return Status::failed("the server to tell its server_uuid");
  // What carries another UUID came from the feed. What carries its own did so only if it was a
  // source before. To read the archive takes long, and pays off only after the archive has grown.
  const MysqlGtidSet by_name = all->of(*uuid);
  if (const Position end = archive_.end();
      !fed_.covers(by_name) && (fed_end_.is_null() || end != fed_end_)) {
    const Result<GtidSet> fed = archive_.executed();
    if (!fed.is_ok()) return Status::failed("this host's archive: " + fed.status().text());
    if (std::string mismatch = kind_mismatch(words(), fed.value().grammar()); !mismatch.empty())
      return Status::failed(std::move(mismatch));
    fed_ = *fed.value().mysql();
    fed_end_ = end;
  }
  const MysqlGtidSet own = by_name.minus(fed_);
  found.written = all->text();
  found.own = own.text();
  found.executed = all->minus(own).text();
  return found;
}

bool SqlStandby::covers(const std::string& state, const std::string& wanted) const {
  const GtidGrammar grammar = grammar_of(words());
  const auto has = GtidSet::parse(grammar, state);
  const auto wants = GtidSet::parse(grammar, wanted);
  return has && wants && has->covers(*wants);
}

Status SqlStandby::stop_following() {
  QueryResult result;
  for (const char* const sql : {words().stop_replica, words().forget_source}) {
    if (Status done = run(sql, result); !done.is_ok()) return done;
  }
  return Status::ok();
}

Result<StandbyServer::NewStream> SqlStandby::begin_stream() {
  QueryResult result;
  if (Status flushed = run("FLUSH BINARY LOGS", result); !flushed.is_ok()) return flushed;
  const ServerFactsResult facts = read_server_facts(sql_);
  if (!facts.ok())
    return Status::failed("the server to tell its settings: " + to_string(facts.error));
  const BinlogIndex index =
      read_binlog_index(facts.facts.log_bin_index, facts.facts.log_bin_basename);
  if (!index.error.empty()) return Status::failed("a readable binlog index: " + index.error);
  return NewStream{index.basename, index.last};
}

Status SqlStandby::stop_writes() {
  for (const std::string& sql : fence_statements(words(), kFenceWaitS)) {
    const QueryResult set = sql_.query_or_close(sql);
    if (!set.ok())
      return Status::failed(
          fmt::format("the server still takes writes ({}), because commits wait for a quorum. They "
                      "end at the server's own timeout; run binlane rejoin again after that",
                      to_string(set.error)));
  }
  return Status::ok();
}

// From now on the server replicates from the feed of its own binlaned, and nothing else writes to
// it.
Status SqlStandby::follow(const FeedAddress& feed, const std::string& gtid, std::string& report) {
  if (Status answer = answers(); !answer.is_ok()) return answer;
  std::vector<std::string> statements = {fmt::format("SET GLOBAL {}=1", words().fence),
                                         fmt::format("SET GLOBAL {}=OFF", words().semi_sync_enable),
                                         words().stop_replica};
  for (std::string& statement : follow_statements(words(), feed, gtid))
    statements.push_back(std::move(statement));
  report = without_password(statements.back());
  statements.emplace_back(words().start_replica);
  for (const std::string& statement : statements) {
    const QueryResult result = sql_.query_or_close(statement);
    if (!result.ok())
      return Status::failed(fmt::format("the server refuses {}: {}", without_password(statement),
                                        to_string(result.error)));
  }
  return Status::ok();
}

Result<std::uint32_t> SqlStandby::follows(std::uint16_t feed_port) {
  if (!sql_.is_connected()) {
    if (const SqlError error = sql_.connect(); !error.ok())
      return Status::failed(fmt::format("the server to answer: {}", to_string(error)));
  }
  const QueryResult status = sql_.query_or_close(words().show_replica_status);
  if (std::string problem = following_problem(words(), status, feed_port); !problem.empty())
    return Status::failed(std::move(problem));
  QueryResult answer;
  if (Status asked = run("SELECT @@GLOBAL.server_id", answer); !asked.is_ok()) return asked;
  const std::string text = first_value(answer);
  const auto id = parse_number<std::uint32_t>(text);
  if (!id) return Status::failed("the server to tell its server_id, instead of " + text);
  return *id;
}

}  // namespace binlane
