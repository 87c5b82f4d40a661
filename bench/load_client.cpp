#include "load_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/clock.h"
#include "load_schema.h"

namespace binlane::bench {
namespace {

// A transaction is cut into statements of about this size, far below any max_allowed_packet.
constexpr std::size_t kStatementBytes = 1 << 20;
constexpr std::uint64_t kRetryPause_ns = 100 * kNanosPerMilli;
// How often a pausing client checks whether it should stop.
constexpr std::uint64_t kPauseStep_ns = 20 * kNanosPerMilli;
constexpr unsigned kConnectTimeout_s = 5;

// Printable and without quotes, so that it needs no escaping; the same for every row but for the
// number at its beginning, because only position and length have to be right on the way.
std::string make_payload(std::size_t length) {
  constexpr std::string_view kAlphabet =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
  std::string payload(length, ' ');
  std::uint64_t state = 0x9E3779B97F4A7C15U;
  for (char& character : payload) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    character = kAlphabet[state % kAlphabet.size()];
  }
  return payload;
}

}  // namespace

void LoadCounts::merge(const LoadCounts& other) {
  latency_ns.merge(other.latency_ns);
  commits += other.commits;
  rows += other.rows;
  errors += other.errors;
  reconnects += other.reconnects;
  if (!other.last_error.empty()) last_error = other.last_error;
}

LoadClient::LoadClient(const LoadOptions& options, std::uint32_t client, const AcknowledgedLog& log,
                       LoadControl& control)
    : options_(options),
      client_(client),
      log_(log),
      control_(control),
      payload_(make_payload(options.payload_bytes)) {}

void LoadClient::take_counts(LoadCounts* total) {
  const std::lock_guard lock(counts_mutex_);
  total->merge(counts_);
  counts_ = LoadCounts{};
}

bool LoadClient::pause(std::uint64_t until_ns) const {
  for (std::uint64_t now = monotonic_ns(); now < until_ns; now = monotonic_ns()) {
    if (control_.stop.load(std::memory_order_relaxed)) return false;
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(until_ns - now, kPauseStep_ns)));
  }
  return !control_.stop.load(std::memory_order_relaxed);
}

bool LoadClient::connect() {
  connection_.reset(mysql_init(nullptr));
  if (connection_ == nullptr) return false;
  const unsigned connect_timeout_s = kConnectTimeout_s;
  const unsigned response_timeout_s = options_.response_timeout_s;
  mysql_options(connection_.get(), MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout_s);
  mysql_options(connection_.get(), MYSQL_OPT_READ_TIMEOUT, &response_timeout_s);
  mysql_options(connection_.get(), MYSQL_OPT_WRITE_TIMEOUT, &response_timeout_s);
  if (mysql_real_connect(connection_.get(), nullptr, options_.user.c_str(),
                         options_.password.c_str(), nullptr, 0, options_.socket.c_str(),
                         0) == nullptr) {
    return false;
  }
  if (connected_before_) {
    const std::lock_guard lock(counts_mutex_);
    ++counts_.reconnects;
  }
  connected_before_ = true;
  return next_sequence_known_ || find_next_sequence();
}

bool LoadClient::find_next_sequence() {
  if (!execute(fmt::format("{}{}", kNextSequenceQuery, client_))) return false;
  MYSQL_RES* result = mysql_store_result(connection_.get());
  if (result == nullptr) return false;
  const MYSQL_ROW row = mysql_fetch_row(result);
  const bool found = row != nullptr && row[0] != nullptr;
  if (found) next_sequence_ = std::strtoull(row[0], nullptr, 10);
  mysql_free_result(result);
  next_sequence_known_ = found;
  return found;
}

bool LoadClient::execute(const std::string& statement) {
  return mysql_real_query(connection_.get(), statement.data(), statement.size()) == 0;
}

void LoadClient::append_row(std::string* statement, std::uint64_t sequence) const {
  fmt::format_to(std::back_inserter(*statement), "({},{},'", client_, sequence);
  const std::string number = fmt::format("{}-{}-", client_, sequence);
  const std::size_t numbered = std::min(number.size(), payload_.size());
  statement->append(number, 0, numbered);
  statement->append(payload_, numbered);
  statement->append("')");
}

bool LoadClient::insert_rows(std::uint32_t rows) {
  const std::size_t row_bytes = payload_.size() + 64;
  const auto rows_per_statement =
      static_cast<std::uint32_t>(std::max<std::size_t>(1, kStatementBytes / row_bytes));
  const bool one_statement = rows <= rows_per_statement;
  if (!one_statement && !execute("START TRANSACTION")) return false;
  std::string statement;
  for (std::uint32_t done = 0; done < rows;) {
    const std::uint32_t batch = std::min(rows - done, rows_per_statement);
    statement = kInsertPrefix;
    for (std::uint32_t i = 0; i < batch; ++i) {
      if (i > 0) statement += ',';
      append_row(&statement, next_sequence_ + done + i);
    }
    if (!execute(statement)) return false;
    done += batch;
  }
  return one_statement || execute("COMMIT");
}

bool LoadClient::one_transaction(std::uint64_t due_ns, std::uint32_t rows) {
  Transaction transaction;
  transaction.client = client_;
  transaction.first_sequence = next_sequence_;
  transaction.rows = rows;
  transaction.begun_ns = monotonic_ns();
  const bool committed = options_.hot_row ? execute(kUpdateHotRow) : insert_rows(rows);
  transaction.ended_ns = monotonic_ns();
  next_sequence_ += rows;
  if (!committed) {
    const std::string error = mysql_error(connection_.get());
    // Whatever failed, the connection's state is unknown: the next transaction gets a new one.
    connection_.reset();
    if (!log_.in_doubt(transaction)) return false;
    return after_failure(error);
  }
  if (!log_.acknowledged(transaction)) return false;
  failures_in_a_row_ = 0;
  const std::lock_guard lock(counts_mutex_);
  ++counts_.commits;
  counts_.rows += rows;
  counts_.latency_ns.record(transaction.ended_ns - std::min(due_ns, transaction.begun_ns));
  return true;
}

bool LoadClient::after_failure(const std::string& error) {
  {
    const std::lock_guard lock(counts_mutex_);
    ++counts_.errors;
    counts_.last_error = error;
  }
  if (++failures_in_a_row_ >= options_.failures_max) return false;
  static_cast<void>(pause(monotonic_ns() + kRetryPause_ns));
  return true;
}

void LoadClient::run() {
  mysql_thread_init();
  const bool paced = options_.pace > 0;
  const double per_second = paced ? options_.pace : options_.rate;
  const double interval_s = per_second > 0 ? options_.clients / per_second : 0;
  const auto interval_ns =
      static_cast<std::uint64_t>(interval_s * static_cast<double>(kNanosPerSecond));
  // Spread over the interval, so that a rate does not mean bursts of all clients at once.
  std::uint64_t due_ns = monotonic_ns() + interval_ns * client_ / std::max(1U, options_.clients);
  bool able = true;
  for (std::size_t turn = 0; able && !control_.stop.load(std::memory_order_relaxed);) {
    if (connection_ == nullptr && !connect()) {
      const std::string error = connection_ ? mysql_error(connection_.get()) : "out of memory";
      connection_.reset();
      able = after_failure(error);
      continue;
    }
    if (interval_ns > 0 && !pause(due_ns)) break;
    if (options_.transactions > 0 && control_.budget.fetch_sub(1, std::memory_order_relaxed) <= 0) {
      break;
    }
    if (paced) due_ns = std::max(due_ns, monotonic_ns());
    const std::uint64_t begun_ns = interval_ns > 0 ? due_ns : monotonic_ns();
    const auto& shapes = options_.rows_per_transaction;
    able = one_transaction(begun_ns, shapes[turn % shapes.size()]);
    ++turn;
    due_ns += interval_ns;
  }
  connection_.reset();
  if (!able) control_.gave_up.fetch_add(1, std::memory_order_relaxed);
  mysql_thread_end();
}

}  // namespace binlane::bench
