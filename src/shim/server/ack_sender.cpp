#include "shim/server/ack_sender.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "base/mutant.h"

namespace binlane {

AckSender::AckSender(AckSocket& socket, std::string_view basename) : socket_(socket) {
  // Room for the dot and the digits is checked by format_binlog_name for each name.
  BL_ASSERT(!basename.empty() && basename.size() <= basename_.size());
  std::memcpy(basename_.data(), basename.data(), basename.size());
  basename_size_ = basename.size();
}

bool AckSender::poll(const Position& quorum, std::uint32_t incarnation) noexcept {
  const AckSocket::Lease lease = socket_.borrow();
  if (lease.generation != 0 && lease.generation != generation_) on_connection(lease.generation);
  if (lease.descriptor < 0 || broken_) return false;

  // A packet that was begun must be finished, because a newer one after half an old one would be
  // garbage.
  if (packet_size_ == 0) {
    const bool ours = BL_MUTANT(ack_of_other_incarnation, true, lease.incarnation == incarnation);
    if (paused_ || !ours) return false;
    if (!wanted_.end.is_null() && wanted_.generation == generation_ && wanted_.end <= quorum) {
      if (wanted_.end <= last_) ++counters_.resent;
      queue(wanted_.end);
      wanted_ = {};
    } else if (quorum > last_) {
      queue(quorum);
    } else {
      return false;
    }
  }
  flush(lease.descriptor);
  return true;
}

void AckSender::on_wanted(const DrainEvent& event) noexcept {
  BL_ASSERT(!event.end.is_null() && event.generation != 0);
  const bool stale = event.generation < generation_;  // of a connection that is gone
  if (BL_MUTANT(ack_not_repeated, true, stale)) return;
  if (event.generation == wanted_.generation && event.end < wanted_.end) return;
  wanted_ = event;
}

void AckSender::detach() noexcept {
  socket_.give_back();
  // Half a packet may be out. The rest must not follow at some later time, so this connection has
  // seen its last ACK. A new generation begins afresh.
  if (packet_sent_ != 0) broken_ = true;
}

void AckSender::on_connection(std::uint32_t generation) noexcept {
  generation_ = generation;
  broken_ = false;
  last_ = {};
  packet_size_ = 0;
  packet_sent_ = 0;
  if (wanted_.generation != generation) wanted_ = {};
}

void AckSender::queue(const Position& position) noexcept {
  BL_ASSERT(packet_size_ == 0 && packet_sent_ == 0);
  std::array<char, kMaxBinlogNameSize> name;
  const std::size_t size =
      format_binlog_name(name, {basename_.data(), basename_size_}, position.file);
  packet_size_ = encode_semi_sync_ack(packet_, {name.data(), size}, position.offset);
  last_ = std::max(last_, position);
}

void AckSender::flush(int descriptor) noexcept {
  BL_ASSERT(packet_sent_ < packet_size_);
  const ssize_t taken = send(descriptor, packet_.data() + packet_sent_, packet_size_ - packet_sent_,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
  if (taken < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS) {
      ++counters_.full;
    } else {
      ++counters_.failed;
      broken_ = true;
    }
    return;
  }
  packet_sent_ += static_cast<std::size_t>(taken);
  BL_ASSERT(packet_sent_ <= packet_size_);
  if (packet_sent_ < packet_size_) {
    ++counters_.partial;
    return;
  }
  ++counters_.sent;
  packet_size_ = 0;
  packet_sent_ = 0;
}

}  // namespace binlane
