#include "sim_stopped.h"

#include <fmt/format.h>

#include <cerrno>

#include "base/position.h"
#include "violation.h"

namespace binlane::sim {

std::string SimStopped::name(std::uint32_t number) const {
  return std::string(kBinlogFolder) + "/" + binlog_file_name(kBasename, number);
}

BinlogIndex SimStopped::index(const std::string&, const std::string&) {
  BinlogIndex index;
  index.directory = kBinlogFolder;
  index.basename = kBasename;
  index.first = standby_.binlogs().first();
  index.last = standby_.binlogs().last();
  if (index.first == 0) index.error = "there are no binlogs";
  return index;
}

std::uint32_t SimStopped::first_file_of_run(const std::string&, const std::string&) {
  return standby_.server().first_file_of_run();
}

bool SimStopped::is_alive(const std::string&) {
  return standby_.server().up();
}

bool SimStopped::exists(const std::string& path) {
  return aside_.contains(path) || size(path).has_value();
}

std::optional<std::uint64_t> SimStopped::size(const std::string& path) {
  const std::uint32_t number = binlog_file_number(path);
  const BinlogStore& store = standby_.binlogs();
  if (number == 0 || path != name(number) || !store.has(number) || store.file(number).purged)
    return std::nullopt;
  return store.file(number).data.size();
}

int SimStopped::read(const std::string&, std::string& text) {
  text.clear();
  if (index_ && standby_.server().run() != index_run_) index_.reset();
  if (index_) text = *index_;
  const BinlogStore& store = standby_.binlogs();
  for (std::uint32_t number = store.first(); !index_ && number <= store.last(); ++number)
    text += name(number) + "\n";
  return 0;
}

int SimStopped::replace(const std::string&, const std::string& text) {
  index_ = text;
  index_run_ = standby_.server().run();
  return 0;
}

int SimStopped::rename(const std::string& from, const std::string& to) {
  const auto length = size(from);
  if (!length) return ENOENT;
  aside_[to] = *length;
  standby_.binlogs().remove(binlog_file_number(from));
  return 0;
}

int SimStopped::truncate(const std::string& path, std::uint64_t length) {
  const std::uint32_t number = binlog_file_number(path);
  if (!size(path)) return ENOENT;
  const Mysqld& server = standby_.server();
  for (const Commit& commit : server.commits()) {
    if (commit.stream == server.resets() && commit.committed && !commit.lost &&
        commit.end > Position{number, length})
      throw Violation(fmt::format("S12: the tail is cut off at {}, and the engine has commit {}",
                                  to_string(Position{number, length}), commit.id));
  }
  standby_.binlogs().truncate(number, length);
  standby_.binlogs().sync(number);
  return 0;
}

}  // namespace binlane::sim
