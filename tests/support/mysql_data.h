// What a MySQL 9.7 server wrote and said, from tests/data/mysql (its README says how it was made).
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "shim/binlog/binlog_event.h"

namespace binlane::test {

inline std::string mysql_data(const std::string& name) {
  std::ifstream file(std::string(BINLANE_TEST_DATA) + "/mysql/" + name, std::ios::binary);
  if (!file) throw std::runtime_error("no test data " + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<std::byte> bytes_of(std::string_view text) {
  const auto* const data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

inline std::vector<std::byte> from_hex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16)));
  return bytes;
}

// The lines of a table, in columns; comments are left out, and \x0a is a newline again.
inline std::vector<std::vector<std::string>> mysql_table(const std::string& name) {
  std::vector<std::vector<std::string>> rows;
  const std::string text = mysql_data(name);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    if (line.starts_with('#')) continue;
    std::vector<std::string> row(1);
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\t') {
        row.emplace_back();
      } else if (line.substr(i).starts_with("\\x")) {
        row.back() += static_cast<char>(from_hex(line.substr(i + 2, 2))[0]);
        i += 3;
      } else {
        row.back() += line[i];
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

struct MysqlEvent {
  std::uint64_t offset = 0;
  std::vector<std::byte> bytes;
  EventHeader header;
};

// The events of a recorded file.
inline std::vector<MysqlEvent> mysql_events(const std::string& name) {
  const auto bytes = bytes_of(mysql_data(name));
  std::vector<MysqlEvent> events;
  for (std::size_t at = kBinlogMagicSize; at < bytes.size();) {
    const EventHeader header = parse_event_header(bytes.data() + at);
    const ConstBytes event = ConstBytes(bytes).subspan(at, header.length);
    events.push_back({at, {event.begin(), event.end()}, header});
    at += header.length;
  }
  return events;
}

// The server begins a line for each UUID of a set. We do not.
inline std::string in_one_line(std::string set) {
  std::erase(set, '\n');
  return set;
}

// How the server describes an event, by its file and position; a set is in one line.
struct MysqlEventLine {
  std::string file;
  std::uint64_t offset = 0;
  std::string type;
  std::uint64_t end = 0;
  std::string info;
};

inline std::vector<MysqlEventLine> mysql_event_lines() {
  std::vector<MysqlEventLine> lines;
  for (auto& row : mysql_table("events.tsv")) {
    std::string& info = row.at(4);
    for (std::size_t at = info.find("\\n"); at != std::string::npos; at = info.find("\\n"))
      info.erase(at, 2);
    lines.push_back({row.at(0), std::stoull(row.at(1)), row.at(2), std::stoull(row.at(3)), info});
  }
  return lines;
}

}  // namespace binlane::test
