// The shared page: what a shim inside the database server and binlaned tell each other.
// SPDX-License-Identifier: BSD-3-Clause
//
// The page is a small file that both processes map (shim_page_file.h opens it).
// server -> daemon: the *doorbell*, {incarnation, file, offset}: the server has written its binlog
//   up to there. It rings before the server's own fsync, so that the daemon ships meanwhile.
// daemon -> server: the *answer*, {incarnation, file, offset, orders}: a quorum has the binlog up
//   to there; and whether commits shall wait at all, where, and how long. And the *heartbeat*.
//
// An incarnation is a run of binlog positions that only grow. The server begins one when the shim
// takes the page, and when a position does not grow (RESET BINARY LOGS). An answer of another
// incarnation releases nobody.
//
// Rules that make it safe:
// * Each cache line has one writing process. Whoever reads a line of the other side believes no
//   value to be in a range: nothing that is in the page can do more than end a wait.
// * A Cell has two slots. The writer fills the one that is not in use and then raises `sequence`,
//   so that a writer that dies at any instruction leaves the last complete entry in force. A reader
//   reads `sequence`, the slot, and `sequence` again: if it is the same, the slot was whole,
//   because its next writing begins only after `sequence` has changed.
// * A sleeper registers in the count of sleepers before it sleeps, and the kernel compares
//   `sequence` as it puts the sleeper to sleep. A writer raises `sequence` before it looks at the
//   count. So one of them sees the other. A writer that dies between the two leaves sleepers that
//   wake at the end of their nap.
// * All accesses are sequentially consistent. So what the hardware can do is an interleaving of the
//   steps below, and no more; tests/unit/include/shim_page_model_test.cpp tries all of them, with
//   this code, at small bounds.
//
// The operations are templates over Atomics, which is HardwareAtomics outside of that test.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

namespace binlane::shim_page {

static_assert(std::endian::native == std::endian::little, "a futex is the low half of a Word");

// "BLNSHIM" and a zero.
inline constexpr std::uint64_t kMagic = 0x004d'4948'534e'4c42;
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kLineBytes = 64;
// The size of the file: one page of memory, of which the rest is zero.
inline constexpr std::size_t kFileBytes = 4096;
// A heartbeat that is older means that the daemon is dead or stopped. A daemon beats in each turn
// of its lane, and at least every kBeatNs.
inline constexpr std::uint64_t kBeatNs = 100'000'000;
inline constexpr std::uint64_t kDeadNs = 1'000'000'000;
static_assert(kDeadNs >= 5 * kBeatNs);

// --- the layout ----------------------------------------------------------------------------------

using Word = std::atomic<std::uint64_t>;
static_assert(sizeof(Word) == 8 && Word::is_always_lock_free);

// Written once, before the file gets its name.
struct alignas(kLineBytes) Header {
  std::uint64_t magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t bytes = 0;  // sizeof(Page)
};

struct Slot {
  Word place;  // incarnation in the high half, file number in the low half
  Word offset;
  Word orders;
};

struct alignas(kLineBytes) Cell {
  Word sequence;  // its lowest bit names the slot in force; its low half is the futex
  Slot slots[2];
};

struct alignas(kLineBytes) ServerLine {
  Word sleepers;   // threads that sleep on the answer
  Word pid;        // for messages only: the lock on the file is what counts
  Word settings;   // Settings, as they are in force
  Word exposed;    // commits or groups that went on without a quorum since the shim took the page
  Word went_off;   // how often the shim stopped waiting by itself
  Word waits_now;  // threads that wait
};

struct alignas(kLineBytes) DaemonLine {
  Word sleepers;  // 1 while the daemon sleeps on the doorbell
  Word pid;
};

struct alignas(kLineBytes) HeartLine {
  Word beat_ns;  // CLOCK_MONOTONIC; 0: never
};

struct Page {
  Header header;
  Cell doorbell;      // written by the server
  ServerLine server;  // written by the server
  Cell answer;        // written by the daemon
  DaemonLine daemon;  // written by the daemon
  HeartLine heart;    // written by the daemon
};
static_assert(sizeof(Cell) == kLineBytes && sizeof(Page) == 6 * kLineBytes);
static_assert(sizeof(Page) <= kFileBytes);
static_assert(offsetof(Page, doorbell) == 64 && offsetof(Page, server) == 128);
static_assert(offsetof(Page, answer) == 192 && offsetof(Page, daemon) == 256);
static_assert(offsetof(Page, heart) == 320);
static_assert(offsetof(Cell, slots) == 8 && sizeof(Slot) == 24);

// --- what the words mean -------------------------------------------------------------------------

// A place in the binlog of one incarnation, compared in this order.
struct Place {
  std::uint32_t incarnation = 0;  // 0: none
  std::uint32_t file = 0;
  std::uint64_t offset = 0;

  constexpr auto operator<=>(const Place&) const = default;
};

enum class State : std::uint8_t {
  unsaid = 0,       // the daemon has not decided yet: as `wait`
  wait = 1,         // commits wait for the quorum
  do_not_wait = 2,  // the daemon has degraded, and the exposure is on record
};

enum class WaitPoint : std::uint8_t {
  unsaid = 0,  // the server's own variable decides
  after_sync = 1,
  after_commit = 2,
};

// What the daemon asks for. All zero: it asks for nothing.
struct Orders {
  State state = State::unsaid;
  WaitPoint wait_point = WaitPoint::unsaid;
  std::uint16_t clients = 0;     // replicas in a session
  std::uint32_t timeout_ms = 0;  // no wait takes longer; 0: the server's own variable decides

  constexpr bool operator==(const Orders&) const = default;
  constexpr std::uint64_t pack() const {
    return static_cast<std::uint64_t>(state) | static_cast<std::uint64_t>(wait_point) << 8 |
           std::uint64_t{clients} << 16 | std::uint64_t{timeout_ms} << 32;
  }
  // Values that this version does not know count as unsaid.
  static constexpr Orders unpack(std::uint64_t word) {
    const auto state = static_cast<std::uint8_t>(word);
    const auto point = static_cast<std::uint8_t>(word >> 8);
    return {state <= 2 ? static_cast<State>(state) : State::unsaid,
            point <= 2 ? static_cast<WaitPoint>(point) : WaitPoint::unsaid,
            static_cast<std::uint16_t>(word >> 16), static_cast<std::uint32_t>(word >> 32)};
  }
};

// What is in force in the server, for the daemon to compare with what it asked for.
struct Settings {
  std::uint32_t timeout_ms = 0;
  std::uint16_t replica_count = 0;
  bool enabled = false;
  bool on = false;  // commits wait
  bool after_commit = false;
  bool wait_no_replica = false;

  constexpr bool operator==(const Settings&) const = default;
  constexpr std::uint64_t pack() const {
    return std::uint64_t{timeout_ms} | std::uint64_t{replica_count} << 32 |
           std::uint64_t{enabled} << 48 | std::uint64_t{on} << 49 |
           std::uint64_t{after_commit} << 50 | std::uint64_t{wait_no_replica} << 51;
  }
  static constexpr Settings unpack(std::uint64_t word) {
    const auto bit = [word](int index) { return (word >> index & 1) != 0; };
    return {static_cast<std::uint32_t>(word),
            static_cast<std::uint16_t>(word >> 32),
            bit(48),
            bit(49),
            bit(50),
            bit(51)};
  }
};

// What a cell contains.
struct Entry {
  Place place;
  Orders orders;  // of an answer

  constexpr bool operator==(const Entry&) const = default;
};

// An entry that was whole, and when.
struct Reading {
  std::uint64_t sequence = 0;
  Entry entry;
};

// --- what the machine can do ---------------------------------------------------------------------

// Every step of the operations below, as the hardware and the kernel make it.
struct HardwareAtomics {
  static std::uint64_t load(const Word& word) noexcept { return word.load(); }
  static void store(Word& word, std::uint64_t value) noexcept { word.store(value); }
  static void add(Word& word, std::int64_t change) noexcept {
    word.fetch_add(static_cast<std::uint64_t>(change));
  }
  // Sleeps unless the word's low half differs. Ends at a wake-up, after the nap, or for no reason.
  static void sleep(const Word& word, std::uint32_t low_half, std::uint64_t nap_ns) noexcept {
    timespec nap{};
    nap.tv_sec = static_cast<time_t>(nap_ns / 1'000'000'000);
    nap.tv_nsec = static_cast<long>(nap_ns % 1'000'000'000);
    ::syscall(SYS_futex, &word, FUTEX_WAIT, low_half, &nap, nullptr, 0);
  }
  static void wake_all(const Word& word) noexcept {
    ::syscall(SYS_futex, &word, FUTEX_WAKE, std::numeric_limits<int>::max(), nullptr, nullptr, 0);
  }
  static void relax() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
};

// --- operations on a cell ------------------------------------------------------------------------

// Any process. Nothing if the writer wrote meanwhile: the caller looks again, in its own time.
template <class Atomics>
std::optional<Reading> read(Atomics& atomics, const Cell& cell) {
  const std::uint64_t sequence = atomics.load(cell.sequence);
  const Slot& slot = cell.slots[sequence % 2];
  const std::uint64_t place = atomics.load(slot.place);
  const std::uint64_t offset = atomics.load(slot.offset);
  const std::uint64_t orders = atomics.load(slot.orders);
  if (atomics.load(cell.sequence) != sequence) return std::nullopt;
  return Reading{
      sequence,
      {{static_cast<std::uint32_t>(place >> 32), static_cast<std::uint32_t>(place), offset},
       Orders::unpack(orders)}};
}

// The cell's one writer: whoever holds its side's lock on the file, one thread at a time.
template <class Atomics>
void write(Atomics& atomics, Cell& cell, const Entry& entry) {
  const std::uint64_t sequence = atomics.load(cell.sequence) + 1;
  Slot& slot = cell.slots[sequence % 2];
  atomics.store(slot.place, std::uint64_t{entry.place.incarnation} << 32 | entry.place.file);
  atomics.store(slot.offset, entry.place.offset);
  atomics.store(slot.orders, entry.orders.pack());
  atomics.store(cell.sequence, sequence);
}

// After a write: wakes whoever sleeps on the cell.
template <class Atomics>
void wake(Atomics& atomics, const Cell& cell, const Word& sleepers) {
  if (atomics.load(sleepers) != 0) atomics.wake_all(cell.sequence);
}

// Returns when the cell may contain something else than what was read, or after the nap.
template <class Atomics>
void sleep(Atomics& atomics, const Cell& cell, Word& sleepers, std::uint64_t seen_sequence,
           std::uint64_t nap_ns) {
  atomics.add(sleepers, 1);
  atomics.sleep(cell.sequence, static_cast<std::uint32_t>(seen_sequence), nap_ns);
  atomics.add(sleepers, -1);
}

// --- the server's operations ---------------------------------------------------------------------

// Takes the page for a server, whatever its predecessor left there, and begins an incarnation.
// Nothing may run in this server that uses the page before this returns.
template <class Atomics>
Place begin_server(Atomics& atomics, Page& page, std::uint64_t pid) {
  // Above everything that the page contains: after a power cut its lines may be of different times.
  std::uint64_t last = 0;
  for (const Cell* const cell : {&page.doorbell, &page.answer})
    for (const Slot& slot : cell->slots) last = std::max(last, atomics.load(slot.place));
  const Place begin{static_cast<std::uint32_t>(last >> 32) + 1, 0, 0};
  atomics.store(page.server.sleepers, 0);
  atomics.store(page.server.waits_now, 0);
  atomics.store(page.server.exposed, 0);
  atomics.store(page.server.went_off, 0);
  atomics.store(page.server.pid, pid);
  write(atomics, page.doorbell, {begin, {}});
  wake(atomics, page.doorbell, page.daemon.sleepers);
  return begin;
}

// The place of what was written after `last`. One that does not grow begins an incarnation: after
// RESET BINARY LOGS even an equal position names other bytes.
constexpr Place next_place(const Place& last, std::uint32_t file, std::uint64_t offset) {
  Place next{last.incarnation, file, offset};
  if (next <= last) ++next.incarnation;
  return next;
}

// The binlog is written up to this place. One thread at a time.
template <class Atomics>
void ring(Atomics& atomics, Page& page, const Place& place) {
  write(atomics, page.doorbell, {place, {}});
  wake(atomics, page.doorbell, page.daemon.sleepers);
}

// Wakes the server's own sleepers, so that they look again at what ends their wait.
template <class Atomics>
void wake_waiters(Atomics& atomics, Page& page) {
  atomics.wake_all(page.answer.sequence);
}

template <class Atomics>
bool daemon_is_alive(Atomics& atomics, const Page& page, std::uint64_t now_ns) {
  const std::uint64_t beat_ns = atomics.load(page.heart.beat_ns);
  // A beat far in the future is from before a reboot.
  return beat_ns != 0 && std::max(beat_ns, now_ns) - std::min(beat_ns, now_ns) <= kDeadNs;
}

enum class WaitEnd : std::uint8_t {
  quorum,             // a quorum has the place
  not_asked,          // the daemon wants no commit to wait
  other_incarnation,  // the place belongs to a stream that is no more
  stopped,            // the caller's own condition
};

// What an answer means to whoever waits for the place; nothing: wait on.
constexpr std::optional<WaitEnd> judge(const Entry& answer, const Place& place) {
  if (answer.place.incarnation < place.incarnation) return std::nullopt;
  if (answer.place.incarnation > place.incarnation) return WaitEnd::other_incarnation;
  if (answer.place >= place) return WaitEnd::quorum;
  if (answer.orders.state == State::do_not_wait) return WaitEnd::not_asked;
  return std::nullopt;
}

// One turn of a wait: one look at the answer, and perhaps one sleep. The caller's `stop` limits the
// wait. stop.now() ends it (timeout, KILL, shutdown, dead daemon). stop.spin() says whether to look
// again at once instead of sleeping. stop.nap_ns() is how long a sleep may take before stop.now()
// is asked again. Nothing: another turn follows.
template <class Atomics, class Stop>
std::optional<WaitEnd> wait_turn(Atomics& atomics, Page& page, const Place& place, Stop& stop) {
  const std::optional<Reading> answer = read(atomics, page.answer);
  if (answer)
    if (const std::optional<WaitEnd> end = judge(answer->entry, place)) return end;
  if (stop.now()) return WaitEnd::stopped;
  if (!answer || stop.spin())
    atomics.relax();
  else
    sleep(atomics, page.answer, page.server.sleepers, answer->sequence, stop.nap_ns());
  return std::nullopt;
}

// Waits until a quorum has the place.
template <class Atomics, class Stop>
WaitEnd wait_for_quorum(Atomics& atomics, Page& page, const Place& place, Stop& stop) {
  for (;;)
    if (const std::optional<WaitEnd> end = wait_turn(atomics, page, place, stop)) return *end;
}

// --- the daemon's operations ---------------------------------------------------------------------

// Takes the page for a daemon. What the predecessor answered remains true and in force.
template <class Atomics>
void begin_daemon(Atomics& atomics, Page& page, std::uint64_t pid) {
  atomics.store(page.daemon.sleepers, 0);
  atomics.store(page.daemon.pid, pid);
}

template <class Atomics>
void answer(Atomics& atomics, Page& page, const Entry& entry) {
  write(atomics, page.answer, entry);
  wake(atomics, page.answer, page.server.sleepers);
}

template <class Atomics>
void beat(Atomics& atomics, Page& page, std::uint64_t now_ns) {
  atomics.store(page.heart.beat_ns, now_ns);
}

// Sleeps until the server writes, if the doorbell still is as it was read; at most for the nap.
template <class Atomics>
void sleep_until_rung(Atomics& atomics, Page& page, std::uint64_t seen_sequence,
                      std::uint64_t nap_ns) {
  sleep(atomics, page.doorbell, page.daemon.sleepers, seen_sequence, nap_ns);
}

}  // namespace binlane::shim_page
