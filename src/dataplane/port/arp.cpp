#include "dataplane/port/arp.h"

#include <rte_arp.h>

#include <cstring>

#include "base/assert.h"

namespace binlane {

// The layout is DPDK's.
static_assert(sizeof(ArpMessage) == sizeof(rte_arp_hdr));
static_assert(offsetof(ArpMessage, sender_mac) == offsetof(rte_arp_hdr, arp_data));

namespace {

constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint16_t kOperationRequest = 1;
constexpr std::uint16_t kOperationReply = 2;

}  // namespace

bool ArpTable::add_static(std::uint32_t ipv4, const MacAddress& mac) noexcept {
  Entry* entry = find(ipv4);
  if (entry == nullptr) entry = take(true);
  if (entry == nullptr) return false;
  *entry = {};
  entry->ipv4 = ipv4;
  entry->kind = Kind::static_entry;
  entry->resolved = true;
  entry->mac = mac;
  count_urgent();
  return true;
}

const MacAddress* ArpTable::resolve(std::uint32_t ipv4) noexcept {
  Entry* entry = find(ipv4);
  if (entry == nullptr) {
    entry = take(true);
    if (entry == nullptr) return nullptr;
    *entry = {};
    entry->ipv4 = ipv4;
    entry->made = ++made_;
    entry->kind = Kind::wanted;
    entry->used = true;
    count_urgent();
    return nullptr;
  }
  if (entry->kind == Kind::heard) {
    // Known from a request alone, which anybody may have sent: it is used until the answer comes.
    entry->kind = Kind::wanted;
    entry->doubted = true;
    count_urgent();
  }
  entry->used = true;
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
  // Not for us, or a probe without a sender, or a sender that claims our own address.
  if (!well_formed || message.target_ipv4 != local_ipv4_ || sender == 0 || sender == local_ipv4_) {
    ++counters_.ignored;
    return true;
  }
  if (message.operation == kOperationRequest) {
    learn_from_request(sender, message.sender_mac, now_ns);
    if (pending_replies_ == kArpMaxPendingReplies) {
      ++counters_.reply_drops;
    } else {
      replies_[pending_replies_++] = {.mac = message.sender_mac, .ipv4 = sender};
    }
  } else if (message.operation == kOperationReply) {
    learn_from_reply(sender, message.sender_mac, now_ns);
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
  age(now_ns);
  for (std::size_t index = 0; index < used_; ++index) {
    Entry& entry = entries_[index];
    if (!due(entry, now_ns)) continue;
    entry.asked = true;
    entry.awaiting = true;
    entry.doubted = false;  // one question for each doubt
    entry.asked_ns = now_ns;
    count_urgent();
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

ArpTable::Entry* ArpTable::take(bool wanted) noexcept {
  Entry* heard = nullptr;
  Entry* silent = nullptr;
  for (std::size_t index = 0; index < used_; ++index) {
    Entry& entry = entries_[index];
    if (entry.kind == Kind::empty) return &entry;
    if (entry.kind == Kind::heard && (heard == nullptr || entry.learned_ns < heard->learned_ns))
      heard = &entry;
    if (wanted && entry.kind == Kind::wanted && !entry.resolved &&
        (silent == nullptr || entry.made < silent->made))
      silent = &entry;
  }
  if (used_ < kArpMaxEntries) return &entries_[used_++];
  if (heard == nullptr && silent == nullptr) {
    ++counters_.table_full;
    return nullptr;
  }
  ++counters_.given_up;
  return heard != nullptr ? heard : silent;
}

void ArpTable::learn_from_request(std::uint32_t ipv4, const MacAddress& mac,
                                  std::uint64_t now_ns) noexcept {
  Entry* entry = find(ipv4);
  if (entry == nullptr) {
    entry = take(false);
    if (entry == nullptr) return;
    *entry = {};
    entry->ipv4 = ipv4;
    entry->made = ++made_;
    entry->kind = Kind::heard;
    count_urgent();
  }
  if (entry->kind == Kind::static_entry) return;
  if (entry->kind == Kind::wanted && entry->resolved && entry->mac != mac) {
    ++counters_.contradicted;
    entry->doubted = true;
    count_urgent();
    return;
  }
  set(*entry, mac, now_ns);
}

void ArpTable::learn_from_reply(std::uint32_t ipv4, const MacAddress& mac,
                                std::uint64_t now_ns) noexcept {
  Entry* const entry = find(ipv4);
  // An answer to a question that was never asked, or was answered already, is not learned.
  if (entry == nullptr || entry->kind != Kind::wanted || !entry->awaiting) {
    ++counters_.ignored;
    return;
  }
  entry->awaiting = false;
  set(*entry, mac, now_ns);
}

void ArpTable::set(Entry& entry, const MacAddress& mac, std::uint64_t now_ns) noexcept {
  if (!entry.resolved || entry.mac != mac) ++counters_.learned;
  entry.mac = mac;
  entry.resolved = true;
  entry.learned_ns = now_ns;
  count_urgent();
}

// Times are given at polls only, so that sending need not read the clock.
void ArpTable::age(std::uint64_t now_ns) noexcept {
  bool changed = false;
  for (std::size_t index = 0; index < used_; ++index) {
    Entry& entry = entries_[index];
    if (entry.kind != Kind::wanted) continue;
    if (entry.used) {
      entry.used = false;
      entry.used_ns = now_ns;
    } else if (now_ns - entry.used_ns >= kArpUnusedNs) {
      ++counters_.given_up;
      entry.kind = entry.resolved ? Kind::heard : Kind::empty;
      entry.awaiting = entry.doubted = false;
      changed = true;
    }
  }
  if (changed) count_urgent();
}

void ArpTable::count_urgent() noexcept {
  urgent_ = 0;
  for (std::size_t index = 0; index < used_; ++index) urgent_ += is_urgent(entries_[index]) ? 1 : 0;
}

bool ArpTable::due(const Entry& entry, std::uint64_t now_ns) const noexcept {
  if (entry.kind != Kind::wanted) return false;
  const bool fresh = entry.resolved && now_ns - entry.learned_ns < kArpRefreshNs;
  if (fresh && !entry.doubted) return false;
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
