// BinlogWriter: builds the bytes of a binlog file, event by event, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/crc32.h"
#include "shim/binlog/binlog_event.h"
#include "shim/binlog/gtid_state.h"
#include "shim/binlog/mysql_gtid_set.h"

namespace binlane::test {

using Bytes = std::vector<std::byte>;

// Gives the event at `begin`, which was changed, the checksum of what it holds now.
inline void sum_again(Bytes& bytes, std::size_t begin) {
  const std::size_t length = load_le<std::uint32_t>(bytes.data() + begin + 9) - kEventChecksumSize;
  store_le<std::uint32_t>(bytes.data() + begin + length,
                          crc32(0, ConstBytes(bytes).subspan(begin, length)));
}

class BinlogWriter {
 public:
  explicit BinlogWriter(bool checksums = true) : checksums_(checksums) {}

  const Bytes& bytes() const { return bytes_; }
  std::uint64_t size() const { return bytes_.size(); }
  // The bytes written since the last call.
  Bytes take() {
    Bytes taken(bytes_.begin() + static_cast<std::ptrdiff_t>(taken_), bytes_.end());
    taken_ = bytes_.size();
    return taken;
  }

  void magic() { put(bytes_, std::string_view("\xfe\x62\x69\x6e", 4)); }
  void format(std::uint32_t startup_s = 0, std::uint32_t server_id = kServerId) {
    Bytes body;
    put_number<std::uint16_t>(body, 4);
    put(body, std::string(50, 'v'));
    put_number<std::uint32_t>(body, startup_s);
    put(body, std::string(40, '\x13'));  // the table of header lengths
    put_number<std::uint8_t>(body, checksums_ ? 1 : 0);
    event(EventType::format_description, body, kEventFlagInUse, server_id, true);
  }
  void gtid_list(const std::vector<GtidEntry>& entries) {
    Bytes body;
    put_number(body, static_cast<std::uint32_t>(entries.size()));
    for (const GtidEntry& entry : entries) {
      put_number(body, entry.domain);
      put_number(body, entry.server_id);
      put_number(body, entry.sequence);
    }
    event(EventType::gtid_list, body);
  }
  void checkpoint() { event(EventType::binlog_checkpoint, std::string(20, 'c')); }
  // MariaDB's.
  void gtid(std::uint64_t sequence, bool standalone = false, std::uint32_t domain = 0,
            std::uint32_t server_id = kServerId) {
    Bytes body;
    put_number(body, sequence);
    put_number(body, domain);
    put_number<std::uint8_t>(body, standalone ? 1 : 0);
    put(body, std::string(6, '\0'));
    event(EventType::gtid, body, 0, server_id);
  }
  // MariaDB 11.8's of a large transaction: it ends at `end`, behind zeros.
  void gtid_up_to(std::uint64_t sequence, std::uint64_t end) {
    Bytes body;
    put_number(body, sequence);
    put_number<std::uint32_t>(body, 0);
    put_number<std::uint8_t>(body, 0);
    body.resize(end - size() - kEventHeaderSize - (checksums_ ? kEventChecksumSize : 0));
    event(EventType::gtid, body);
  }
  // MySQL's, without a tag, and a list as MySQL 8.3 and later write it.
  void mysql_gtid(const MysqlGtid& gtid) {
    Bytes body;
    put_number<std::uint8_t>(body, 0);
    for (const std::uint8_t byte : gtid.tsid.uuid.bytes) put_number(body, byte);
    put_number(body, gtid.gno);
    event(EventType::gtid_log, body);
  }
  void previous_gtids(const MysqlGtidSet& set) {
    event(EventType::previous_gtids, set.encode(MysqlGtidEncoding::tagged));
  }
  void query(std::string_view text, std::string_view schema = "db", std::size_t status_size = 7) {
    Bytes body;
    put(body, std::string(8, 'q'));
    put_number(body, static_cast<std::uint8_t>(schema.size()));
    put(body, std::string(2, '\0'));
    put_number(body, static_cast<std::uint16_t>(status_size));
    put(body, std::string(status_size, 's'));
    put(body, schema);
    put(body, std::string(1, '\0'));
    put(body, text);
    event(EventType::query, body);
  }
  void rows(std::size_t size, char fill = 'r', bool annotated = true) {
    if (annotated) event(EventType::annotate_rows, std::string(5, 'a'));
    event(EventType::table_map, std::string(12, 't'));
    event(static_cast<EventType>(30), std::string(size, fill));
  }
  void xid() { event(EventType::xid, std::string(8, 'x')); }
  // A whole transaction.
  void transaction(std::uint64_t sequence, std::size_t size) {
    gtid(sequence);
    rows(size);
    xid();
  }
  void rotate(std::string_view next_name) {
    Bytes body;
    put_number<std::uint64_t>(body, kBinlogMagicSize);
    put(body, next_name);
    event(EventType::rotate, body);
  }
  void stop() { event(EventType::stop, std::string()); }
  // The beginning of a file of a MariaDB server.
  void begin(const std::vector<GtidEntry>& gtids, std::uint32_t startup_s = 0) {
    magic();
    format(startup_s);
    gtid_list(gtids);
    checkpoint();
  }

  void event(EventType type, std::string_view body, std::uint16_t flags = 0) {
    Bytes bytes;
    put(bytes, body);
    event(type, bytes, flags);
  }
  void event(EventType type, const Bytes& body, std::uint16_t flags = 0,
             std::uint32_t server_id = kServerId, bool with_checksum = false) {
    const bool checksum = checksums_ || with_checksum;
    const std::size_t length = kEventHeaderSize + body.size() + (checksum ? kEventChecksumSize : 0);
    const std::size_t begin = bytes_.size();
    put_number<std::uint32_t>(bytes_, kTimestamp);
    put_number(bytes_, static_cast<std::uint8_t>(type));
    put_number(bytes_, server_id);
    put_number(bytes_, static_cast<std::uint32_t>(length));
    put_number(bytes_, silent ? 0U : static_cast<std::uint32_t>(begin + length));
    put_number(bytes_, flags);
    bytes_.insert(bytes_.end(), body.begin(), body.end());
    if (!checksum) return;
    // As a server does: reckoned before the file is marked as in use.
    Bytes summed(bytes_.begin() + static_cast<std::ptrdiff_t>(begin), bytes_.end());
    summed[kEventHeaderSize - 2] &= ~std::byte{kEventFlagInUse};
    put_number(bytes_, crc32(0, summed));
  }
  void raw(std::string_view text) { put(bytes_, text); }

  bool silent = false;  // events do not say where they end, as those in a cache's file

  static constexpr std::uint32_t kServerId = 7;
  static constexpr std::uint32_t kTimestamp = 1'700'000'000;

 private:
  static void put(Bytes& to, std::string_view text) {
    for (const char c : text) to.push_back(static_cast<std::byte>(c));
  }
  template <class T>
  static void put_number(Bytes& to, T value) {
    for (std::size_t at = 0; at < sizeof value; ++at)
      to.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * at)));
  }

  bool checksums_;
  std::size_t taken_ = 0;
  Bytes bytes_;
};

}  // namespace binlane::test
