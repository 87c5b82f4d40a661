// Builds binlog files in memory and on disk for the feed's tests: as a MariaDB 10.11 source writes
// them, with CRC32 checksums or without.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/crc32.h"
#include "base/position.h"
#include "shim/feed/feed_event.h"

namespace binlane::test {

inline constexpr std::uint32_t kSourceId = 11;

class BinlogBuilder {
 public:
  explicit BinlogBuilder(bool checksums = true, std::uint32_t server_id = kSourceId)
      : checksums_(checksums), server_id_(server_id) {
    data_ = {std::byte{0xfe}, std::byte{'b'}, std::byte{'i'}, std::byte{'n'}};
  }

  // Adds an event; returns the offset after it.
  std::uint64_t add(EventType type, ConstBytes body, std::uint16_t flags = 0) {
    const bool checksum = checksums_ || type == EventType::format_description;
    const auto length = static_cast<std::uint32_t>(kEventHeaderSize + body.size() +
                                                   (checksum ? kEventChecksumSize : 0));
    Event event = mysql::Writer()
                      .number(std::uint32_t{1'700'000'000})
                      .number(static_cast<std::uint8_t>(type))
                      .number(server_id_)
                      .number(length)
                      .number(static_cast<std::uint32_t>(data_.size() + length))
                      .number(flags)
                      .bytes(body)
                      .take();
    if (checksum) {
      // Reckoned before the file is marked as in use.
      Event summed = event;
      summed[kEventHeaderSize - 2] &= ~std::byte{kEventFlagInUse};
      const std::uint32_t crc = crc32(0, summed);
      event.resize(length);
      store_le(event.data() + length - kEventChecksumSize, crc);
    }
    data_.insert(data_.end(), event.begin(), event.end());
    return data_.size();
  }

  std::uint64_t format_description(std::uint32_t created_s = 0, std::uint16_t flags = 0) {
    return add(EventType::format_description,
               mysql::Writer()
                   .number(std::uint16_t{4})
                   .text("10.11.19-MariaDB")
                   .zeros(50 - 16)
                   .number(created_s)
                   .number(static_cast<std::uint8_t>(kEventHeaderSize))
                   .zeros(171)  // lengths of the events' fixed parts: nothing here reads them
                   .number(static_cast<std::uint8_t>(checksums_ ? 1 : 0))
                   .take(),
               flags);
  }
  std::uint64_t gtid_list(const std::vector<GtidEntry>& list) {
    mysql::Writer body;
    body.number(static_cast<std::uint32_t>(list.size()));
    for (const GtidEntry& entry : list) {
      body.number(entry.domain).number(entry.server_id).number(entry.sequence);
    }
    return add(EventType::gtid_list, body.take());
  }
  std::uint64_t begin_group(std::uint64_t sequence, std::uint32_t domain = 0,
                            bool standalone = false) {
    return add(EventType::gtid, mysql::Writer()
                                    .number(sequence)
                                    .number(domain)
                                    .number(static_cast<std::uint8_t>(standalone ? 1 : 0))
                                    .zeros(6)
                                    .take());
  }
  // An event inside a group, of this many bytes.
  std::uint64_t rows(std::size_t size = 40, std::uint8_t filler = 'r') {
    return add(static_cast<EventType>(23), Event(size, static_cast<std::byte>(filler)));
  }
  std::uint64_t annotate(std::string_view sql) {
    return add(EventType::annotate_rows, mysql::as_bytes(sql));
  }
  std::uint64_t xid(std::uint64_t number = 1) {
    return add(EventType::xid, mysql::Writer().number(number).take());
  }
  // A whole group of four events.
  std::uint64_t group(std::uint64_t sequence, std::uint32_t domain = 0, std::size_t size = 40) {
    begin_group(sequence, domain);
    annotate("INSERT INTO t VALUES (1)");
    rows(size);
    return xid(sequence);
  }
  std::uint64_t rotate(std::string_view next) {
    return add(EventType::rotate, mysql::Writer().number(std::uint64_t{4}).text(next).take());
  }
  std::uint64_t stop() { return add(EventType::stop, {}); }
  void raw(ConstBytes bytes) { data_.insert(data_.end(), bytes.begin(), bytes.end()); }
  void set_server_id(std::uint32_t server_id) { server_id_ = server_id; }

  std::uint64_t size() const { return data_.size(); }
  const Event& data() const { return data_; }

 private:
  Event data_;
  const bool checksums_;
  std::uint32_t server_id_;
};

// A folder that goes away with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bl-feed-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

  void write(const std::string& name, ConstBytes bytes) const {
    std::ofstream file(path_ + '/' + name, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(file.good());
  }
  void write(std::uint32_t number, const BinlogBuilder& binlog) const {
    write(binlog_file_name("binlog", number), binlog.data());
  }

 private:
  std::string path_;
};

}  // namespace binlane::test
