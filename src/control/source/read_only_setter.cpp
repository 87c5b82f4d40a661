#include "control/source/read_only_setter.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/start_thread.h"

namespace binlane {
namespace {

// The statement gives up after this time, and the caller tries again.
constexpr unsigned kLockWaitS = 30;
constexpr unsigned kReadTimeoutS = kLockWaitS + 10;

}  // namespace

ReadOnlySetter::ReadOnlySetter(ServerAccount account)
    : connection_(std::move(account), {.read_s = kReadTimeoutS}) {}

ReadOnlySetter::~ReadOnlySetter() {
  connection_.interrupt();
  if (thread_.joinable()) thread_.join();
}

void ReadOnlySetter::begin() {
  if (state() == State::sending) return;
  if (thread_.joinable()) thread_.join();
  connection_id_.store(0, std::memory_order_relaxed);
  state_.store(State::sending, std::memory_order_release);
  if (const std::string problem = start_thread(thread_, [this] { run(); }); !problem.empty())
    fail(problem);
}

void ReadOnlySetter::run() {
  const SqlError error = connection_.connect();
  if (!error.ok()) return fail(to_string(error));
  const QueryResult id = connection_.query("SELECT CONNECTION_ID()");
  if (!id.ok() || id.rows.empty() || !id.rows[0][0]) return fail(to_string(id.error));
  const std::string& text = *id.rows[0][0];
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  connection_id_.store(number, std::memory_order_release);
  for (const std::string& sql : fence_statements(connection_.words(), kLockWaitS)) {
    const QueryResult set = connection_.query(sql);
    if (!set.ok()) return fail(to_string(set.error));
  }
  connection_.close();
  state_.store(State::done, std::memory_order_release);
}

void ReadOnlySetter::fail(std::string problem) {
  connection_.close();
  {
    const std::lock_guard lock(mutex_);
    problem_ = std::move(problem);
  }
  state_.store(State::failed, std::memory_order_release);
}

std::string ReadOnlySetter::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

bool ReadOnlySetter::is_pending(ServerConnection& other) const {
  const std::uint64_t id = connection_id_.load(std::memory_order_acquire);
  if (id == 0) return false;
  return waits_in(other.query("SHOW PROCESSLIST"), std::to_string(id));
}

// The statement shows an account its own threads, in either server. MySQL's table of them is empty
// without performance_schema.
bool ReadOnlySetter::waits_in(const QueryResult& processes, std::string_view id) {
  constexpr std::size_t kId = 0;
  constexpr std::size_t kCommand = 4;
  constexpr std::size_t kState = 6;
  return std::ranges::any_of(processes.rows, [id](const SqlRow& row) {
    return row.size() > kState && row[kId] == id && row[kCommand] == "Query" &&
           row[kState].value_or("").starts_with("Waiting");
  });
}

}  // namespace binlane
