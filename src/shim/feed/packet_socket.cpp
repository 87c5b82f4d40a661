#include "shim/feed/packet_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "base/assert.h"
#include "base/clock.h"

namespace binlane {
namespace {

constexpr std::size_t kInputSize = 16 << 10;
constexpr std::size_t kFlushAt = 64 << 10;

}  // namespace

PacketSocket::PacketSocket(int descriptor, std::size_t max_packet)
    : descriptor_(descriptor), deframer_(max_packet) {
  const int flags = fcntl(descriptor_, F_GETFL);
  BL_ASSERT(flags >= 0 && fcntl(descriptor_, F_SETFL, flags | O_NONBLOCK) == 0);
  output_.reserve(kFlushAt + kFlushAt / 2);
}

PacketSocket::~PacketSocket() {
  close(descriptor_);
}

PacketSocket::Status PacketSocket::fail(Status status) {
  BL_ASSERT(status != Status::ok);
  failed_ = status;
  return status;
}

PacketSocket::Status PacketSocket::wait(short events, std::uint64_t deadline_ns) const {
  for (;;) {
    if (ended()) return Status::ended;
    const std::uint64_t now = monotonic_ns();
    if (now >= deadline_ns) return Status::timeout;
    const std::uint64_t left_ms = (deadline_ns - now) / kNanosPerMilli + 1;
    pollfd descriptor{descriptor_, events, 0};
    const int ready =
        poll(&descriptor, 1, static_cast<int>(std::min<std::uint64_t>(left_ms, INT_MAX)));
    if (ready > 0) return ended() ? Status::ended : Status::ok;
    if (ready < 0 && errno != EINTR) return Status::closed;
  }
}

PacketSocket::Status PacketSocket::read(mysql::Payload& payload, bool new_command,
                                        std::uint64_t timeout_ns) {
  if (failed_ != Status::ok) return failed_;
  const std::uint64_t deadline = monotonic_ns() + timeout_ns;
  deframer_.expect_sequence(new_command ? std::uint8_t{0} : sequence_);
  for (;;) {
    if (input_used_ < input_.size()) {
      input_used_ += deframer_.consume(ConstBytes(input_).subspan(input_used_));
    }
    if (deframer_.state() == mysql::Deframer::State::complete) {
      payload = deframer_.take();
      sequence_ = deframer_.next_sequence();
      return Status::ok;
    }
    if (deframer_.state() != mysql::Deframer::State::incomplete) return fail(Status::broken);
    if (const Status status = wait(POLLIN, deadline); status != Status::ok) return fail(status);
    input_.resize(kInputSize);
    const ssize_t count = recv(descriptor_, input_.data(), input_.size(), 0);
    input_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    input_used_ = 0;
    if (count > 0) continue;
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    return fail(ended() ? Status::ended : Status::closed);
  }
}

PacketSocket::Status PacketSocket::write(ConstBytes payload) {
  begin_packet(payload.size());
  return append(payload);
}

void PacketSocket::begin_packet(std::uint64_t length) {
  BL_ASSERT(packet_left_ == 0);
  packet_left_ = length;
  begin_frame();
}

void PacketSocket::begin_frame() {
  frame_left_ = std::min<std::uint64_t>(packet_left_, mysql::kMaxFrame);
  frame_is_full_ = frame_left_ == mysql::kMaxFrame;
  const auto header = mysql::frame_header(frame_left_, sequence_++);
  output_.insert(output_.end(), header.begin(), header.end());
}

PacketSocket::Status PacketSocket::append(ConstBytes bytes) {
  BL_ASSERT(bytes.size() <= packet_left_);
  while (!bytes.empty()) {
    const std::size_t count = std::min({bytes.size(), frame_left_, kFlushAt});
    output_.insert(output_.end(), bytes.begin(),
                   bytes.begin() + static_cast<std::ptrdiff_t>(count));
    bytes = bytes.subspan(count);
    frame_left_ -= count;
    packet_left_ -= count;
    if (output_.size() >= kFlushAt) flush();
    // A packet of whole full frames ends with an empty one.
    if (frame_left_ == 0 && frame_is_full_) begin_frame();
  }
  if (output_.size() >= kFlushAt) flush();
  return failed_;
}

PacketSocket::Status PacketSocket::flush() {
  const Status status = send_output();
  // What could not be sent will not be: nothing is kept for a connection that has failed.
  output_.clear();
  return status;
}

PacketSocket::Status PacketSocket::send_output() {
  if (failed_ != Status::ok) return failed_;
  std::size_t sent = 0;
  std::uint64_t deadline = monotonic_ns() + kWriteTimeoutNs;
  while (sent < output_.size()) {
    const ssize_t count =
        send(descriptor_, output_.data() + sent, output_.size() - sent, MSG_NOSIGNAL);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
      deadline = monotonic_ns() + kWriteTimeoutNs;
    } else if (count < 0 && errno == EAGAIN) {
      const Status status = wait(POLLOUT, deadline);
      if (status != Status::ok) return fail(status);
    } else if (count == 0 || errno != EINTR) {
      return fail(ended() ? Status::ended : Status::closed);
    }
  }
  return Status::ok;
}

bool PacketSocket::has_input() const {
  if (input_used_ < input_.size()) return true;
  pollfd descriptor{descriptor_, POLLIN | POLLRDHUP, 0};
  return poll(&descriptor, 1, 0) > 0;
}

void PacketSocket::end() {
  ended_.store(true, std::memory_order_relaxed);
  shutdown(descriptor_, SHUT_RDWR);
}

}  // namespace binlane
