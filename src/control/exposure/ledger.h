// Ledger: the durable list of what was released to clients without a quorum. [I4]
//
// An *interval* [from, to) of the binlog is opened before Binlane lets the server release commits
// without a quorum, or as soon as a release by the server itself is noticed [S8]. It is closed when
// a quorum covers everything that may have been released. The file is append-only JSON lines, for
// people and programs alike. Each line ends in a CRC32C of what precedes it, and is on stable
// storage before the call returns.
//
// Opening tolerates one thing: a last line that was being written when the machine stopped (it has
// no newline, or bytes that never reached the disk and read as zeros). That line was never
// confirmed, so it is cut off. Any other damage is refused, because a ledger that forgot an
// interval would claim safety that was not given.
//
// Positions mean something within one stream only: after a RESET or a promotion the same numbers
// name other bytes. So every interval names its stream, and begin_stream() ends those of another
// stream.
//
// A failed sync is final (fsyncgate), and so is a write that failed for another reason than want of
// room: every later call fails, and with it every release without a quorum. A write that found no
// room (ENOSPC, EDQUOT) has changed nothing once its incomplete line is cut off, so it may be tried
// again. To make that rare, room for many lines is reserved after the file's end, which no other
// file can use up.
//
// The source's control thread owns it; texts of the wall clock are for people.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/epoch.h"
#include "base/position.h"
#include "base/uuid.h"
#include "storage/file_util.h"

namespace binlane {

// How the cause begins that fencing a source gives an interval. It only says that nobody looked
// from then on; a rejoin recognises it.
inline constexpr std::string_view kFencedCause = "fenced: ";

// Who released the commits. One interval may have several causes, one after another.
enum class ExposureKind : std::uint8_t {
  own,         // Binlane switched semi-sync off
  server_side  // the server released them by itself, or may have
};
const char* to_string(ExposureKind kind) noexcept;

struct ExposureCause {
  ExposureKind kind = ExposureKind::own;
  std::string reason;
  std::string at;  // wall clock, for people

  bool operator==(const ExposureCause&) const = default;
};

struct LedgerInterval {
  std::uint64_t id = 0;
  Epoch epoch;
  Position from;
  std::optional<Position> to;  // nothing while it is open
  std::uint64_t groups = 0;    // event groups in it, once closed
  bool counted = false;        // and they were counted: 0 means that there are none
  bool uncountable = false;    // their binlogs are gone or damaged: 0 means any number
  std::vector<ExposureCause> causes;
  std::string closed_at;
  Uuid stream;                // origin of the stream that the positions are of; null in older files
  bool acknowledged = false;  // by a person, or empty; in lists only

  bool open() const noexcept { return !to.has_value(); }
  // No client was told anything in it, so nobody has to acknowledge it.
  bool empty() const noexcept { return !open() && counted && groups == 0; }
  bool operator==(const LedgerInterval&) const = default;
};

struct LedgerTotals {
  std::uint64_t entries = 0;  // intervals ever opened
  std::uint64_t open = 0;
  std::uint64_t exposed_groups = 0;  // in closed intervals
  std::uint64_t uncountable = 0;     // closed intervals whose groups could not be counted
  // Intervals that no person has acknowledged yet, open or closed, except those that proved empty.
  std::uint64_t unacknowledged = 0;
  std::uint64_t bytes = 0;  // of the file
};

// What the lines of the file say (their format: control/exposure/ledger_line.h).
struct LedgerHeader {
  std::uint64_t version = 0;
};
struct LedgerOpen {
  std::uint64_t id = 0;
  Epoch epoch;
  Position from;
  ExposureCause cause;
  Uuid stream;
};
struct LedgerCause {
  std::uint64_t id = 0;
  ExposureCause cause;
};
struct LedgerClose {
  std::uint64_t id = 0;
  Position to;
  std::uint64_t groups = 0;
  std::string at;
  bool counted = false;      // if not, 0 groups may be any number; lines of older files do not say
  bool uncountable = false;  // nobody could count them
};
// A person has seen all intervals up to this one, and dealt with them.
struct LedgerAck {
  std::uint64_t id = 0;
  std::string by;
  std::string at;
};
using LedgerRecord = std::variant<LedgerHeader, LedgerOpen, LedgerCause, LedgerClose, LedgerAck>;

// How the ledger accesses the disk; tests replace it to make the disk fail.
struct LedgerIo {
  ssize_t (*write)(int descriptor, const void* data, std::size_t length);
  int (*sync)(int descriptor);
  // Reserves that many bytes of room from `offset` on; the file's length does not change. Returns 0
  // or -1 with errno. Null: no room is reserved.
  int (*reserve)(int descriptor, std::uint64_t offset, std::uint64_t length) = nullptr;
  static LedgerIo system() noexcept;
};

class Ledger {
 public:
  // The closed intervals kept in memory for lists; older ones are only in the file.
  static constexpr std::size_t kMaxListed = 256;
  // There cannot be more open intervals than this; a file with more is refused.
  static constexpr std::size_t kMaxOpen = 64;
  // No line of the file is longer.
  static constexpr std::size_t kMaxLineBytes = 4096;
  // Reasons are cut to this length, and this many causes of one interval are kept.
  static constexpr std::size_t kMaxReasonBytes = 256;
  static constexpr std::size_t kMaxCauses = 16;
  // If more empty intervals follow one that a person has to acknowledge, they wait for that too.
  static constexpr std::size_t kMaxEmpty = 4096;
  // Room that is reserved for future lines, if the file system can do that.
  static constexpr std::uint64_t kReserveBytes = std::uint64_t{1024} * 1024;

  // Opens or creates the file, made durable with its directory entry, and locks it. Throws
  // StartupError for damage (with the line's number) and if another process has the file open.
  explicit Ledger(std::string path, LedgerIo io = LedgerIo::system());

  // From now on positions are of this stream. Open intervals of another stream are closed where
  // they began, uncounted, because their binlogs are gone, or are not this server's any more.
  // Returns false if that could not be made durable; they then remain open until try_again().
  [[nodiscard]] bool begin_stream(const Uuid& origin);

  // Each of these returns only when its line is on stable storage, and returns false (or nothing)
  // if that failed: then nothing may be released because of it.
  [[nodiscard]] std::optional<std::uint64_t> open_interval(Position from, Epoch epoch,
                                                           ExposureKind kind,
                                                           std::string_view reason);
  [[nodiscard]] bool add_cause(std::uint64_t id, ExposureKind kind, std::string_view reason);
  // Asserts that the interval is open and begins at or before `to`. `counted`: `groups` includes
  // every event group in it.
  [[nodiscard]] bool close_interval(std::uint64_t id, Position to, std::uint64_t groups,
                                    bool counted = false, bool uncountable = false);

  // What the fallback state machine asks for at a recovery: closes every open interval of this
  // stream at `to` (or at its own beginning, if that is later). `count_groups(from, to)` counts
  // event groups, or cannot; a stretch that several intervals share is counted with the first of
  // them.
  using CountGroups = std::function<std::optional<std::uint64_t>(Position from, Position to)>;
  [[nodiscard]] bool close_all(Position to, const CountGroups& count_groups);

  // What the fallback asks for before and after releases: adds the cause to an open interval of
  // this stream and term that begins at or before `from`, or opens one. Returns its id.
  [[nodiscard]] std::optional<std::uint64_t> expose(Position from, Epoch epoch, ExposureKind kind,
                                                    std::string_view reason);

  // Records that nobody looks any more from where this host was fenced. Once is enough, so a host
  // that starts FENCED asks again, in case the disk failed then.
  [[nodiscard]] bool expose_fencing(Position from, Epoch epoch, std::string_view reason);

  // Records that a person (`by`) has dealt with all intervals up to `id`. Returns nothing, or why
  // not: one of them is open, or there is no such interval.
  [[nodiscard]] std::string acknowledge(std::uint64_t id, std::string_view by);
  // All intervals up to this one are acknowledged.
  std::uint64_t acknowledged_up_to() const noexcept { return acknowledged_; }

  const std::vector<LedgerInterval>& open_intervals() const noexcept { return open_; }
  // An exposure of this stream is on record and not over; one of an older stream covers nothing.
  bool open_in_stream() const noexcept;
  // Open ones and the newest closed ones, by id.
  std::vector<LedgerInterval> list() const;
  const LedgerTotals& totals() const noexcept { return totals_; }

  // Empty while all is well; otherwise what went wrong: for ever, unless it only found no room.
  const std::string& failure() const noexcept { return failure_; }
  bool failed() const noexcept { return !failure_.empty(); }
  bool is_full() const noexcept { return full_; }
  // Checks for room after the disk was full. Returns true when the ledger takes lines again.
  bool try_again();
  // Room reserved after the file's end; 0 if there is no room for that, or the file system cannot
  // do it.
  std::uint64_t reserve_bytes() const noexcept {
    return reserved_until_ > totals_.bytes ? reserved_until_ - totals_.bytes : 0;
  }
  // Bytes of an unfinished last line that opening cut off.
  std::uint64_t torn_bytes() const noexcept { return torn_bytes_; }
  const std::string& path() const noexcept { return path_; }

 private:
  void load();
  // Checks one line of the file against what precedes it and applies it. Returns an empty text, or
  // what is wrong with it.
  std::string replay(std::string_view line);
  // The only place where the lists and totals change, for loaded and for new lines alike.
  void apply(const LedgerRecord& record);
  bool append(const LedgerRecord& record);
  void find_no_room(int error);
  void keep_reserve();
  void fail(std::string_view doing, int error);
  LedgerInterval* find_open(std::uint64_t id);
  bool is_of_this_stream(const LedgerInterval& interval) const noexcept;
  ExposureCause make_cause(ExposureKind kind, std::string_view reason) const;

  std::string path_;
  LedgerIo io_;
  FileDescriptor file_;
  std::uint64_t lines_ = 0;  // good ones in the file
  std::uint64_t next_id_ = 1;
  Uuid stream_;
  std::uint64_t acknowledged_ = 0;  // by a person, up to this id
  std::set<std::uint64_t> empty_;   // intervals after that which proved empty
  std::vector<LedgerInterval> open_;
  std::deque<LedgerInterval> closed_;
  LedgerTotals totals_;
  std::uint64_t torn_bytes_ = 0;
  std::string failure_;
  bool full_ = false;
  std::uint64_t reserved_until_ = 0;
};

}  // namespace binlane
