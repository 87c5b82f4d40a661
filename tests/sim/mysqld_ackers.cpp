// Mysqld, the part about ACKs: the dump connections that are semi-sync clients of the server, ours
// and foreign ones, and how the server compares what they acknowledge.
#include <algorithm>
#include <string>

#include "base/assert.h"
#include "mysqld.h"

namespace binlane::sim {
namespace {

// The thread of a dump connection ends at most this long after the connection.
constexpr std::uint64_t kThreadEndsNs = 400 * kNanosPerMilli;
// A stock replica acknowledges what it was sent within this time.
constexpr std::uint64_t kForeignAckNs = 4 * kNanosPerMilli;

std::string name_of(std::uint32_t file) {
  return binlog_file_name(kBasename, file);
}

}  // namespace

// As Active_tranx::compare in MariaDB 10.11 does: names as text, then offsets.
bool Mysqld::covers_as_text(const Position& acked, const Position& end) {
  if (acked.is_null()) return false;
  const int order = name_of(acked.file).compare(name_of(end.file));
  return order > 0 || (order == 0 && acked.offset >= end.offset);
}

bool Mysqld::covers(const Position& end) const {
  return temperament_.compares_names_as_text ? covers_as_text(acked_, end) : acked_ >= end;
}

// What ended a wait, and by whose ACK.
Answer Mysqld::answer_of(const Group& group) const {
  if (own_acked_ >= group.end) return Answer::acked;
  return foreign_acked_ >= group.end ? Answer::foreign : Answer::unwaited;
}

void Mysqld::take_ack(const Position& position) {
  const bool further =
      temperament_.compares_names_as_text ? covers_as_text(position, acked_) : position > acked_;
  if (further) acked_ = position;
  if (!status_on_ && covers(last_group_end_)) {
    status_on_ = true;
    trace_.note("server waits again");
  }
}

void Mysqld::forget_acks() {
  acked_ = own_acked_ = foreign_acked_ = {};
}

// --- connections --------------------------------------------------------------------------------

void Mysqld::register_dump(Position start) {
  trace_.note("dump registered", start.file, start.offset);
  end_dump();
  threads_.push_back(UINT64_MAX);
  on_ack(start);
}

// The server notices the end of a connection only after a while.
void Mysqld::end_dump() {
  for (std::uint64_t& until_ns : threads_) {
    if (until_ns == UINT64_MAX) until_ns = clock_.time_ns + random_.below(kThreadEndsNs);
  }
}

std::uint64_t Mysqld::clients() const {
  const auto ours = std::count_if(threads_.begin(), threads_.end(),
                                  [this](std::uint64_t until) { return until > clock_.time_ns; });
  return static_cast<std::uint64_t>(ours) + (foreign_ ? 1 : 0);
}

void Mysqld::connect_foreign() {
  if (!up_ || foreign_) return;
  trace_.note("another acker connects");
  foreign_ = true;
  ++foreign_visits_;
  foreign_sent_ = dump_end_;
}

void Mysqld::disconnect_foreign() {
  if (foreign_) trace_.note("another acker is gone");
  foreign_ = false;
  foreign_acks_.clear();
}

void Mysqld::acknowledge_ahead(std::uint64_t bytes) {
  const Position ahead{last_group_end_.file, last_group_end_.offset + bytes};
  foreign_acked_ = std::max(foreign_acked_, ahead);
  take_ack(ahead);
}

std::size_t Mysqld::work_foreign() {
  std::size_t work = 0;
  while (!foreign_acks_.empty() && foreign_acks_.front().first <= clock_.time_ns) {
    const Position position = foreign_acks_.front().second;
    foreign_acks_.pop_front();
    ++work;
    if (!enabled_) continue;
    foreign_acked_ = std::max(foreign_acked_, position);
    take_ack(position);
  }
  if (foreign_ && dump_end_ > foreign_sent_) {
    foreign_sent_ = dump_end_;
    std::uint64_t due_ns = clock_.time_ns + random_.below(kForeignAckNs);
    if (!foreign_acks_.empty()) due_ns = std::max(due_ns, foreign_acks_.back().first);
    foreign_acks_.emplace_back(due_ns, dump_end_);
    ++work;
  }
  return work;
}

}  // namespace binlane::sim
