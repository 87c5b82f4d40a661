// Binlog files of any content: the group tracker, the scan at an incarnation's start, and the event
// parsers of the feed.
//
// An input is {cuts, first file, second file}: the bytes of `cuts` say in which pieces the tracker
// gets them.
#include <algorithm>
#include <optional>
#include <vector>

#include "fuzz_target.h"
#include "shim/binlog/file_head.h"
#include "shim/binlog/group_tracker.h"
#include "shim/binlog/mysql_gtid_event.h"
#include "shim/binlog/previous_gtids_reader.h"
#include "shim/binlog/stream_scan.h"
#include "shim/feed/feed_event.h"
#include "support/fake_binlog_files.h"

namespace {

using namespace binlane;

void expect_same(const GroupTracker& one, const GroupTracker& other) {
  BL_ASSERT(one.fault() == other.fault() && one.last_event_end() == other.last_event_end());
  BL_ASSERT(one.last_group_end() == other.last_group_end());
  BL_ASSERT(one.in_group() == other.in_group() && one.ending() == other.ending());
  BL_ASSERT(one.group_count() == other.group_count());
  BL_ASSERT(one.unfinished_group_count() == other.unfinished_group_count());
  BL_ASSERT(one.last_event_type() == other.last_event_type());
  BL_ASSERT(one.continuity() == other.continuity());
  BL_ASSERT(one.gtid_state_known() == other.gtid_state_known());
  BL_ASSERT(one.format().seen == other.format().seen);
}

void check_marks(const GroupTracker& tracker) {
  BL_ASSERT(tracker.last_group_end() <= tracker.last_event_end());
  BL_ASSERT(tracker.last_event_end() <= tracker.end());
}

void check_tracker(ConstBytes cuts, ConstBytes file) {
  GroupTracker whole;
  whole.start_file(1);
  whole.on_bytes(0, file);
  check_marks(whole);
  GroupTracker pieces;
  pieces.start_file(1);
  std::size_t at = 0;
  for (std::size_t i = 0; at < file.size() && !pieces.broken(); ++i) {
    const std::size_t cut =
        cuts.empty() ? 1 : std::size_t{std::to_integer<std::uint8_t>(cuts[i % cuts.size()])};
    const std::size_t length = std::min(cut + 1, file.size() - at);
    const Position group_end = pieces.last_group_end();
    pieces.on_bytes(at, file.subspan(at, length));
    BL_ASSERT(pieces.last_group_end() >= group_end);
    check_marks(pieces);
    at += length;
  }
  expect_same(whole, pieces);
}

void check_scan(ConstBytes first, ConstBytes second) {
  test::FakeBinlogFiles files;
  files.append(1, {first.begin(), first.end()});
  files.append(2, {second.begin(), second.end()});
  StreamStart start{StreamMap(8), {}};
  const ScanResult result = scan_stream(files, 1, 2, start);
  BL_ASSERT(files.open_count() == 0);
  if (!result.ok()) {
    BL_ASSERT(result.error == EBADMSG && result.fault != TrackerFault::none);
    return;
  }
  // A second file without a head is not there yet, so that the first has not ended.
  const bool there = start.map.end_of(1).has_value();
  BL_ASSERT(there || judge_head(second.first(std::min(second.size(), kBinlogMagicSize))) ==
                         FileHead::absent);
  // The scan for damage reads the same and refuses more.
  StreamStart checked{StreamMap(8), {}};
  if (scan_stream(files, 1, 2, checked, {true, 1}).ok()) {
    BL_ASSERT(checked.map.end_of(1).has_value() == there);
    BL_ASSERT(!there ||
              checked.map.end_of(1)->last_group_end == start.map.end_of(1)->last_group_end);
  }
  BL_ASSERT(files.open_count() == 0);
  const std::uint32_t newest = there ? 2 : 1;
  GroupTracker alone;
  alone.start_file(newest);
  alone.on_bytes(0, there ? second : first);
  expect_same(start.tracker, alone);
  const std::optional<std::uint64_t> groups =
      count_groups(files, {newest, 0}, alone.last_group_end());
  // A group that the next one cuts off is counted when that one is read.
  BL_ASSERT(!groups || (*groups <= alone.group_count() &&
                        *groups + alone.unfinished_group_count() >= alone.group_count()));
}

// MySQL's GTID events.
void check_mysql_event(ConstBytes event, bool checksums) {
  const auto gtid = parse_mysql_gtid_event(event, checksums);
  const std::size_t front_size = kEventHeaderSize + kMysqlGtidFront;
  const auto front =
      parse_mysql_gtid_event(event.first(std::min(event.size(), front_size)), checksums);
  // The front alone names the group as the whole does.
  BL_ASSERT(gtid.has_value() == front.has_value());
  BL_ASSERT(!gtid || (gtid->gtid == front->gtid && gtid->flags == front->flags));
  BL_ASSERT(!gtid || !gtid->gtid || parse_mysql_gtid(to_string(*gtid->gtid)) == gtid->gtid);

  const auto set = parse_previous_gtids(event, checksums);
  const std::size_t trailer = checksums ? kEventChecksumSize : 0;
  if (parse_event_header(event.data()).type != EventType::previous_gtids ||
      event.size() < kEventHeaderSize + trailer) {
    BL_ASSERT(!set);
    return;
  }
  BL_ASSERT(!set || MysqlGtidSet::decode(set->encode(MysqlGtidEncoding::tagged)) == set);
  BL_ASSERT(!set || MysqlGtidSet::parse(set->text()) == set);
  // The lane's reader takes the same lists, in pieces.
  ConstBytes rest = event.subspan(kEventHeaderSize, event.size() - kEventHeaderSize - trailer);
  PreviousGtidsReader reader;
  reader.begin(static_cast<std::uint32_t>(rest.size()));
  while (const std::uint32_t length = reader.wanted()) {
    reader.take(rest.first(length));
    rest = rest.subspan(length);
  }
  BL_ASSERT(reader.complete() == set.has_value());
}

void check_events(ConstBytes file) {
  // As the feed walks a file, by the lengths that the events give themselves.
  std::size_t at = std::min(file.size(), kBinlogMagicSize);
  bool checksums = false;
  while (file.size() - at >= kEventHeaderSize) {
    const EventHeader header = parse_event_header(file.data() + at);
    if (header.length < kEventHeaderSize || header.length > file.size() - at) break;
    const ConstBytes event = file.subspan(at, header.length);
    at += header.length;
    if (const auto format = parse_format_description(event)) {
      checksums = format->checksums;
      const Event served = served_format_description(event, {true, true});
      BL_ASSERT(served.size() == event.size());
      const auto again = parse_format_description(served);
      BL_ASSERT(again && again->server_version == format->server_version);
      BL_ASSERT(again->checksums == format->checksums && again->created_s == 0);
    }
    if (event.size() >= kGtidEventFront) {
      // The front alone says as much as the whole.
      const auto gtid = parse_gtid_event(event);
      const auto front = parse_gtid_event(event.first(kGtidEventFront));
      BL_ASSERT(gtid.has_value() == front.has_value());
      BL_ASSERT(!gtid || (gtid->gtid == front->gtid && gtid->flags == front->flags));
    }
    check_mysql_event(event, checksums);
    if (const auto list = parse_gtid_list(event, checksums)) {
      const Event made = make_gtid_list(1, *list, 0, 4, checksums);
      const auto again = parse_gtid_list(made, checksums);
      BL_ASSERT(again == list);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const ConstBytes cuts = input.take(input.byte() % 16);
  const ConstBytes first = input.chunk();
  const ConstBytes second = input.rest();
  check_tracker(cuts, first);
  check_tracker(cuts, second);
  check_scan(first, second);
  check_events(first);
  check_events(second);
  return 0;
}
