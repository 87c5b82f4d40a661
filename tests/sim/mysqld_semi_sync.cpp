// Mysqld, the part where commits wait for an ACK.
#include <algorithm>
#include <iterator>
#include <utility>

#include "mysqld.h"

namespace binlane::sim {

// A group whose end is published. One that comes while another one waits under the commit lock
// waits later, together with all that come until then.
void Mysqld::begin_waiting(Group group) {
  if (!waits_one_by_one() || waiting_.empty()) {
    start_wait(group);
    waiting_.push_back(std::move(group));
    return;
  }
  ++counts_.groups_queued_for_ack;
  if (waiting_.size() == 1) {
    waiting_.push_back(std::move(group));
    return;
  }
  Group& queued = waiting_.back();
  queued.commits.insert(queued.commits.end(), group.commits.begin(), group.commits.end());
  queued.end = group.end;
  queued.after_commit = queued.after_commit && group.after_commit;
}

void Mysqld::start_wait(Group& group) {
  group.waits = true;
  group.since_ns = clock_.time_ns;
  group.timeout_ns = timeout_ns_;
}

std::uint64_t Mysqld::wait_sessions() const {
  std::uint64_t sessions = 0;
  for (const Group& group : waiting_) {
    if (group.waits) sessions += counted(group);
  }
  return sessions;
}

std::uint64_t Mysqld::counted(const Group& group) const {
  return temperament_.counts_groups && !group.after_commit ? 1 : group.commits.size();
}

bool Mysqld::wait_is_over(const Group& group) const {
  return !status_on() || covers(group.end) || clock_.time_ns - group.since_ns >= group.timeout_ns;
}

// The group whose wait ends now. Without binlog_order_commits each has a thread of its own, and any
// of these may go on first.
std::optional<std::size_t> Mysqld::next_over() {
  if (waiting_.empty()) return std::nullopt;
  const bool any_order = temperament_.waits_in_order && !options_.orders_commits;
  if (!any_order)
    return wait_is_over(waiting_.front()) ? std::optional<std::size_t>(0) : std::nullopt;
  std::vector<std::size_t> over;
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    if (wait_is_over(waiting_[i])) over.push_back(i);
  }
  if (over.empty()) return std::nullopt;
  const std::size_t next = over[random_.below(over.size())];
  if (next > 0) ++counts_.waits_ended_out_of_order;
  return next;
}

std::size_t Mysqld::answer_waiters() {
  std::size_t work = 0;
  while (const auto next = next_over()) {
    if (status_on() && !covers(waiting_[*next].end)) {
      status_on_ = false;
      ++counters_.no_times;
      ++timeouts_;
      trace_.note("server gives up waiting");
    }
    const Group group = std::move(waiting_[*next]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(*next));
    if (!status_on()) {
      if (enabled_) counters_.no_tx += counted(group);
      answer(group, Answer::exposed);
    } else {
      counters_.yes_tx += counted(group);
      answer(group, answer_of(group));
    }
    if (!waiting_.empty() && !waiting_.front().waits) start_wait(waiting_.front());
    ++work;
  }
  return work;
}

void Mysqld::answer(const Group& group, Answer answer) {
  for (const std::size_t index : group.commits) {
    Commit& commit = commits_[index];
    commit.answer = answer;
    commit.committed = true;
    if (answer == Answer::foreign) commit.visit = foreign_visits_;
    if (answer == Answer::acked && acked_too_much()) commit.unsafe = true;
    commit.answered_ns = clock_.time_ns;
    trace_.note(answer == Answer::acked ? "commit OK" : "commit OK, exposed", commit.id);
    if (answered) answered(commit);
  }
}

void Mysqld::set_enabled(bool on) {
  trace_.note(on ? "semi-sync ON" : "semi-sync OFF", waiting_.size());
  enabled_set_ = true;
  if (on) {
    if (!enabled_) forget_acks();
    enabled_ = status_on_ = true;
    return;
  }
  if (enabled_) ++counters_.no_times;  // as seen on MariaDB 10.11
  enabled_ = status_on_ = false;
  for (const Group& group : waiting_) {
    if (group.waits) counters_.no_tx += counted(group);
    answer(group, Answer::exposed);
  }
  waiting_.clear();
}

// MariaDB: the whole group of the killed leader continues, and the server counts it as
// acknowledged. MySQL: the client is gone, and its session waits on.
void Mysqld::kill_waiter() {
  if (!up_ || waiting_.empty() || !status_on()) return;
  trace_.note("waiter killed", waiting_.front().commits.size());
  if (!temperament_.kill_ends_wait) {
    ++counts_.kills_waited_out;
    return;
  }
  counters_.yes_tx += counted(waiting_.front());
  answer(waiting_.front(), Answer::exposed);
  waiting_.pop_front();
}

}  // namespace binlane::sim
