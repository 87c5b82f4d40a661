// Both binary encodings of MysqlGtidSet.
#include "base/assert.h"
#include "shim/binlog/mysql_field_reader.h"
#include "shim/binlog/mysql_gtid_set.h"

namespace binlane {
namespace {

template <class T>
void put(std::vector<std::byte>& to, T number) {
  const std::size_t at = to.size();
  to.resize(at + sizeof number);
  store_le(to.data() + at, number);
}

// A length is a variable-length number. That of a tag always has one byte, of which one bit says
// so.
void put_tag(std::vector<std::byte>& to, const MysqlTag& tag) {
  static_assert(MysqlTag::kCapacity < 1 << 7);
  to.push_back(static_cast<std::byte>(tag.text().size() << 1));
  for (const char c : tag.text()) to.push_back(static_cast<std::byte>(c));
}

}  // namespace

std::vector<std::byte> MysqlGtidSet::encode(MysqlGtidEncoding encoding) const {
  const bool tagged = encoding == MysqlGtidEncoding::tagged;
  std::uint64_t count = 0;
  for (const auto& entry : by_tsid_) count += tagged || entry.first.tag.empty() ? 1 : 0;
  std::vector<std::byte> bytes;
  put(bytes, encode_gtid_set_head({encoding, count}));
  for (const auto& [tsid, intervals] : by_tsid_) {
    if (!tagged && !tsid.tag.empty()) continue;
    for (const std::uint8_t byte : tsid.uuid.bytes) bytes.push_back(std::byte{byte});
    if (tagged) put_tag(bytes, tsid.tag);
    put(bytes, std::uint64_t{intervals.size()});
    for (const GnoInterval& interval : intervals) {
      put(bytes, interval.begin);
      put(bytes, interval.end);
    }
  }
  return bytes;
}

std::optional<MysqlGtidSet> MysqlGtidSet::decode(ConstBytes bytes) {
  MysqlFieldReader reader(bytes);
  const auto head = decode_gtid_set_head(reader.number<std::uint64_t>());
  if (!head) return std::nullopt;
  std::map<MysqlTsid, Intervals> found;
  std::size_t read = 0;
  for (std::uint64_t i = 0; i < head->tsid_count && !reader.failed(); ++i) {
    MysqlTsid tsid{reader.uuid(), {}};
    if (head->encoding == MysqlGtidEncoding::tagged) {
      const auto tag = MysqlTag::parse(reader.bytes(reader.varint()));
      if (!tag) return std::nullopt;
      tsid.tag = *tag;
    }
    const auto count = reader.number<std::uint64_t>();
    if (count > reader.rest().size() / kGnoIntervalSize) return std::nullopt;
    read += static_cast<std::size_t>(count);
    if (read > kMaxIntervals) return std::nullopt;
    // A server lists each TSID once, but nothing makes a stranger do so.
    Intervals& intervals = found[tsid];
    std::uint64_t last_end = 0;
    for (std::uint64_t j = 0; j < count; ++j) {
      const auto begin = reader.number<std::uint64_t>();
      const auto end = reader.number<std::uint64_t>();
      // As the server checks it.
      if (begin <= last_end || end <= begin || end > kMaxMysqlGno + 1) return std::nullopt;
      intervals.push_back({begin, end});
      last_end = end;
    }
  }
  if (reader.failed() || !reader.rest().empty()) return std::nullopt;
  MysqlGtidSet set;
  for (const auto& [tsid, intervals] : found) set.merge(tsid, intervals);
  BL_ASSERT(set.size_ <= kMaxIntervals);
  return set;
}

}  // namespace binlane
