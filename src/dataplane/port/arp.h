// ArpTable: which address has which MAC address. No I/O, no clock: frames and times go in, frames
// come out.
//
// The table is fixed, because a lane allocates nothing after its start and a flood of forged ARP
// must not grow it. No entry is displaced that we send to and that answers. An entry that we sent
// to and that never answered makes room for another, so that replies to forged senders do not
// prevent an answer to the next source.
//
// ARP proves nothing: any host on the link can claim any address. So if a request claims an address
// in use, the claim is not taken: the table asks, and only the first answer to a question of ours
// counts. Where that is not enough there are static entries. The lane owns the table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "dataplane/port/ethernet.h"

namespace binlane {

struct ArpMessage {
  be16 hardware_type{};
  be16 protocol_type{};
  std::uint8_t hardware_length = 0;
  std::uint8_t protocol_length = 0;
  be16 operation{};
  MacAddress sender_mac;
  be32 sender_ipv4{};
  MacAddress target_mac;
  be32 target_ipv4{};
};
static_assert(sizeof(ArpMessage) == 28 && alignof(ArpMessage) == 1);

inline constexpr std::size_t kArpFrameSize = sizeof(EthernetHeader) + sizeof(ArpMessage);
inline constexpr std::size_t kArpMaxEntries = 64;
inline constexpr std::size_t kArpMaxPendingReplies = 8;
// At most one request per entry in this time …
inline constexpr std::uint64_t kArpRequestIntervalNs = 100 * kNanosPerMilli;
// … and an entry in use is asked for again after this time; until the answer comes the old one is
// used.
inline constexpr std::uint64_t kArpRefreshNs = 30 * kNanosPerSecond;
// An entry that nothing was sent to for this long counts as merely heard of from then on.
inline constexpr std::uint64_t kArpUnusedNs = 60 * kNanosPerSecond;

struct ArpCounters {
  std::uint64_t requests_sent = 0;
  std::uint64_t replies_sent = 0;
  std::uint64_t learned = 0;       // new or changed addresses
  std::uint64_t ignored = 0;       // malformed, not for us, or claiming our own address
  std::uint64_t table_full = 0;    // no entry for an address
  std::uint64_t reply_drops = 0;   // more requests at once than pending replies fit
  std::uint64_t contradicted = 0;  // requests that claim an address in use for another MAC address
  std::uint64_t given_up = 0;      // entries that were displaced, or were not used for kArpUnusedNs
};

class ArpTable {
 public:
  ArpTable() = default;
  ArpTable(const MacAddress& local_mac, std::uint32_t local_ipv4) noexcept
      : local_mac_(local_mac), local_ipv4_(local_ipv4) {}

  // Never asked for and never overwritten. Returns false if the table is full.
  bool add_static(std::uint32_t ipv4, const MacAddress& mac) noexcept;

  // The address to send to; or nullptr, and then the next poll() asks for it.
  const MacAddress* resolve(std::uint32_t ipv4) noexcept;

  // Returns true if `frame` has the EtherType of ARP, whatever its content.
  bool on_frame(ConstBytes frame, std::uint64_t now_ns) noexcept;

  // True if poll() may have something urgent to send: lets a lane skip reading the clock. The
  // refresh of old entries is not urgent; poll from time to time for it.
  bool wants_poll() const noexcept { return pending_replies_ > 0 || urgent_ > 0; }

  // Writes the next frame to send into `frame` (kArpFrameSize bytes) and returns its size, or 0.
  // Call until it returns 0; at most kArpMaxPendingReplies + kArpMaxEntries frames come at once.
  std::size_t poll(std::uint64_t now_ns, MutableBytes frame) noexcept;

  const ArpCounters& counters() const noexcept { return counters_; }

 private:
  enum class Kind : std::uint8_t {
    empty,
    heard,         // known from a request to us; may be displaced
    wanted,        // we send to it
    static_entry,  //
  };
  struct Entry {
    std::uint32_t ipv4 = 0;
    std::uint64_t made = 0;
    Kind kind = Kind::empty;
    bool resolved = false;
    bool asked = false;
    bool awaiting = false;  // for an answer to the last question
    bool doubted = false;   // is used, but has to be asked for at once
    bool used = false;      // since the last poll
    MacAddress mac{};
    std::uint64_t learned_ns = 0;
    std::uint64_t asked_ns = 0;
    std::uint64_t used_ns = 0;  // the time of the first poll after that
  };
  static bool is_urgent(const Entry& entry) noexcept {
    return entry.kind == Kind::wanted && (!entry.resolved || entry.doubted);
  }

  Entry* find(std::uint32_t ipv4) noexcept;
  // A free entry, or the oldest one merely heard of. For an address that we send to (`wanted`),
  // also the oldest one that never answered. nullptr, and a count, if there is none.
  Entry* take(bool wanted) noexcept;
  void learn_from_request(std::uint32_t ipv4, const MacAddress& mac, std::uint64_t now_ns) noexcept;
  void learn_from_reply(std::uint32_t ipv4, const MacAddress& mac, std::uint64_t now_ns) noexcept;
  void set(Entry& entry, const MacAddress& mac, std::uint64_t now_ns) noexcept;
  void age(std::uint64_t now_ns) noexcept;
  void count_urgent() noexcept;
  bool due(const Entry& entry, std::uint64_t now_ns) const noexcept;
  void write(MutableBytes frame, std::uint16_t operation, const MacAddress& ethernet_destination,
             const MacAddress& target_mac, std::uint32_t target_ipv4) const noexcept;

  MacAddress local_mac_;
  std::uint32_t local_ipv4_ = 0;
  std::size_t used_ = 0;    // entries [0, used_) may be in use
  std::size_t urgent_ = 0;  // entries that wait for an answer, or are doubted
  std::uint64_t made_ = 0;  // orders entries that have no time yet
  std::size_t pending_replies_ = 0;
  std::array<Entry, kArpMaxEntries> entries_{};
  struct Reply {
    MacAddress mac;
    std::uint32_t ipv4 = 0;
  };
  std::array<Reply, kArpMaxPendingReplies> replies_{};
  ArpCounters counters_;
};

}  // namespace binlane
