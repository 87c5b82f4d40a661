#include "dataplane/arp.h"

#include <cstring>

#include "base/assert.h"

namespace binlane {
namespace {

constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint16_t kOperationRequest = 1;
constexpr std::uint16_t kOperationReply = 2;

}  // namespace

bool ArpTable::add_static(std::uint32_t ipv4, const MacAddress& mac) noexcept {
  Entry* entry = find(ipv4);
  if (entry == nullptr) entry = take();
  if (entry == nullptr) return false;
  if (entry->kind == Kind::wanted && !entry->resolved) --unresolved_;
  *entry = {.ipv4 = ipv4, .kind = Kind::static_entry, .resolved = true, .mac = mac};
  return true;
}

const MacAddress* ArpTable::resolve(std::uint32_t ipv4) noexcept {
  Entry* entry = find(ipv4);
  if (entry == nullptr) {
    entry = take();
    if (entry == nullptr) return nullptr;
    *entry = {.ipv4 = ipv4, .kind = Kind::wanted};
    ++unresolved_;
    return nullptr;
  }
  if (entry->kind == Kind::heard) entry->kind = Kind::wanted;
  return entry->resolved ? &entry->mac : nullptr;
}

bool ArpTable::on_frame(ConstBytes frame, std::uint64_t now_ns) noexcept {
  if (frame.size() < sizeof(EthernetHeader)) return false;
  EthernetHeader ethernet;
  std::memcpy(&ethernet, frame.data(), sizeof ethernet);
  if (ethernet.ether_type != kEtherTypeArp) return false;

  ArpMessage message;
  if (frame.size() < kArpFrameSize) {
    ++counters_.ignored;
    return true;
  }
  std::memcpy(&message, frame.data() + sizeof ethernet, sizeof message);
  const bool well_formed =
      message.hardware_type == kHardwareEthernet && message.protocol_type == kEtherTypeIpv4 &&
      message.hardware_length == sizeof(MacAddress) &&
      message.protocol_length == sizeof(std::uint32_t) && message.sender_mac.is_unicast();
  const std::uint32_t sender = message.sender_ipv4;
  // Not ours, or a probe without a sender, or someone who claims our own address.
  if (!well_formed || message.target_ipv4 != local_ipv4_ || sender == 0 || sender == local_ipv4_) {
    ++counters_.ignored;
    return true;
  }
  if (message.operation == kOperationRequest) {
    learn(sender, message.sender_mac, true, now_ns);
    if (pending_replies_ == kArpMaxPendingReplies) {
      ++counters_.reply_drops;
    } else {
      replies_[pending_replies_++] = {.mac = message.sender_mac, .ipv4 = sender};
    }
  } else if (message.operation == kOperationReply) {
    learn(sender, message.sender_mac, false, now_ns);
  } else {
    ++counters_.ignored;
  }
  return true;
}

std::size_t ArpTable::poll(std::uint64_t now_ns, MutableBytes frame) noexcept {
  BL_ASSERT(frame.size() >= kArpFrameSize);
  if (pending_replies_ > 0) {
    const Reply& reply = replies_[--pending_replies_];
    write(frame, kOperationReply, reply.mac, reply.mac, reply.ipv4);
    ++counters_.replies_sent;
    return kArpFrameSize;
  }
  for (std::size_t index = 0; index < used_; ++index) {
    Entry& entry = entries_[index];
    if (!due(entry, now_ns)) continue;
    entry.asked = true;
    entry.asked_ns = now_ns;
    write(frame, kOperationRequest, kBroadcastMac, MacAddress{}, entry.ipv4);
    ++counters_.requests_sent;
    return kArpFrameSize;
  }
  return 0;
}

ArpTable::Entry* ArpTable::find(std::uint32_t ipv4) noexcept {
  for (std::size_t index = 0; index < used_; ++index) {
    if (entries_[index].ipv4 == ipv4 && entries_[index].kind != Kind::empty) {
      return &entries_[index];
    }
  }
  return nullptr;
}

ArpTable::Entry* ArpTable::take() noexcept {
  if (used_ < kArpMaxEntries) return &entries_[used_++];
  Entry* oldest = nullptr;
  for (Entry& entry : entries_) {
    if (entry.kind != Kind::heard) continue;
    if (oldest == nullptr || entry.learned_ns < oldest->learned_ns) oldest = &entry;
  }
  if (oldest == nullptr) ++counters_.table_full;
  return oldest;
}

void ArpTable::learn(std::uint32_t ipv4, const MacAddress& mac, bool create,
                     std::uint64_t now_ns) noexcept {
  Entry* entry = find(ipv4);
  if (entry == nullptr) {
    // An answer to a question that was never asked is not learned.
    if (!create) {
      ++counters_.ignored;
      return;
    }
    entry = take();
    if (entry == nullptr) return;
    *entry = {.ipv4 = ipv4, .kind = Kind::heard};
  }
  if (entry->kind == Kind::static_entry) return;
  if (entry->kind == Kind::wanted && !entry->resolved) {
    BL_ASSERT(unresolved_ > 0);
    --unresolved_;
  }
  if (!entry->resolved || entry->mac != mac) ++counters_.learned;
  entry->mac = mac;
  entry->resolved = true;
  entry->learned_ns = now_ns;
}

bool ArpTable::due(const Entry& entry, std::uint64_t now_ns) const noexcept {
  if (entry.kind != Kind::wanted) return false;
  if (entry.resolved && now_ns - entry.learned_ns < kArpRefreshNs) return false;
  return !entry.asked || now_ns - entry.asked_ns >= kArpRequestIntervalNs;
}

void ArpTable::write(MutableBytes frame, std::uint16_t operation,
                     const MacAddress& ethernet_destination, const MacAddress& target_mac,
                     std::uint32_t target_ipv4) const noexcept {
  const EthernetHeader ethernet{ethernet_destination, local_mac_, kEtherTypeArp};
  ArpMessage message;
  message.hardware_type = kHardwareEthernet;
  message.protocol_type = kEtherTypeIpv4;
  message.hardware_length = sizeof(MacAddress);
  message.protocol_length = sizeof(std::uint32_t);
  message.operation = operation;
  message.sender_mac = local_mac_;
  message.sender_ipv4 = local_ipv4_;
  message.target_mac = target_mac;
  message.target_ipv4 = target_ipv4;
  std::memcpy(frame.data(), &ethernet, sizeof ethernet);
  std::memcpy(frame.data() + sizeof ethernet, &message, sizeof message);
}

}  // namespace binlane
