// ArchiveReader and ArchiveGtids over files built here: never beyond the limit, torn files, large
// events, damage.

#include "shim/feed/archive_reader.h"

#include <gtest/gtest.h>

#include "feed_binlog.h"
#include "shim/feed/archive_gtids.h"
#include "shim/feed/binlog_groups.h"
#include "shim/feed/fixed_feed_limit.h"

namespace binlane {
namespace {

using test::BinlogBuilder;
using Step = ArchiveReader::Step;

class ArchiveTest : public testing::Test {
 protected:
  ArchivePlace place() const { return {folder_.path(), "binlog"}; }
  ArchiveGtids gtids() {
    return {place(), limit_, [] { return false; }};
  }

  // Reads on; returns the offsets after the events, and how it stopped.
  std::vector<std::uint64_t> read(ArchiveReader& reader, Step& stopped) {
    std::vector<std::uint64_t> ends;
    ArchivedEvent event;
    while ((stopped = reader.next(event)) == Step::event) ends.push_back(event.end());
    return ends;
  }

  const test::TemporaryFolder folder_;
  FixedFeedLimit limit_;
};

TEST_F(ArchiveTest, ReadsUpToTheLimitAndOnWhenItGrows) {
  BinlogBuilder file;
  std::vector<std::uint64_t> ends{file.format_description()};
  ends.push_back(file.gtid_list({}));
  file.begin_group(1);
  file.rows();
  const std::uint64_t first = file.xid();
  const std::uint64_t second = file.group(2);
  folder_.write(1, file);

  ArchiveReader reader(place(), limit_);
  ASSERT_TRUE(reader.open(1));
  Step stopped;
  EXPECT_TRUE(read(reader, stopped).empty());
  EXPECT_EQ(stopped, Step::at_limit);
  limit_.set({1, 0});
  EXPECT_TRUE(read(reader, stopped).empty());
  EXPECT_EQ(stopped, Step::at_limit);
  limit_.set({1, ends[1]});
  EXPECT_EQ(read(reader, stopped), ends);
  EXPECT_EQ(stopped, Step::at_limit);
  EXPECT_EQ(reader.position(), (Position{1, ends[1]}));
  limit_.set({1, first});
  EXPECT_EQ(read(reader, stopped).size(), 3u);
  EXPECT_EQ(reader.position().offset, first);
  EXPECT_EQ(stopped, Step::at_limit);
  limit_.set({1, second});
  EXPECT_EQ(read(reader, stopped).size(), 4u);
  EXPECT_EQ(reader.position().offset, second);
}

TEST_F(ArchiveTest, AFileIsFinishedWhenTheLimitIsInALaterOne) {
  BinlogBuilder file;
  file.format_description();
  file.group(1);
  file.rotate("binlog.000002");
  folder_.write(1, file);
  ArchiveReader reader(place(), limit_);
  ASSERT_TRUE(reader.open(1));
  limit_.set({1, file.size()});
  Step stopped;
  read(reader, stopped);
  EXPECT_EQ(stopped, Step::at_limit);
  limit_.set({2, 0});
  EXPECT_TRUE(read(reader, stopped).empty());
  EXPECT_EQ(stopped, Step::file_end);
  EXPECT_FALSE(reader.open(2));
  EXPECT_TRUE(reader.file_missing());
}

TEST_F(ArchiveTest, LeavesOutATornTail) {
  // What a killed server may leave after its last whole group: nothing, whole events of a group
  // without an end, a cut event, zeros.
  BinlogBuilder whole;
  whole.format_description();
  const std::uint64_t end = whole.group(1);
  BinlogBuilder open_group = whole;
  open_group.begin_group(2);
  open_group.rows();
  const ConstBytes open_bytes = ConstBytes(open_group.data()).subspan(end);
  std::vector<Event> tails{{}, Event(3), Event(500)};
  for (std::size_t size = 1; size <= open_bytes.size(); ++size) {
    tails.emplace_back(open_bytes.begin(), open_bytes.begin() + static_cast<std::ptrdiff_t>(size));
  }
  limit_.set({2, 0});
  for (const Event& tail : tails) {
    BinlogBuilder torn = whole;
    torn.raw(tail);
    folder_.write(1, torn);
    ArchiveReader reader(place(), limit_);
    ASSERT_TRUE(reader.open(1));
    Step stopped;
    EXPECT_EQ(read(reader, stopped).back(), end) << tail.size();
    EXPECT_EQ(stopped, Step::file_end);
  }
}

TEST_F(ArchiveTest, AStopEventAlsoEndsAFile) {
  BinlogBuilder file;
  file.format_description();
  file.group(1);
  const std::uint64_t end = file.stop();
  folder_.write(1, file);
  limit_.set({2, 4});
  ArchiveReader reader(place(), limit_);
  ASSERT_TRUE(reader.open(1));
  Step stopped;
  EXPECT_EQ(read(reader, stopped).back(), end);
  EXPECT_EQ(stopped, Step::file_end);
}

TEST_F(ArchiveTest, GivesLargeEventsInPieces) {
  BinlogBuilder file;
  file.format_description();
  file.begin_group(1);
  const std::uint64_t begin = file.size();
  const std::uint64_t end = file.rows(3 * ArchiveReader::kFrontSize + 77, 'L');
  file.xid();
  folder_.write(1, file);
  limit_.set({1, file.size()});
  ArchiveReader reader(place(), limit_);
  ASSERT_TRUE(reader.open(1));
  ArchivedEvent event;
  do {
    ASSERT_EQ(reader.next(event), Step::event);
  } while (event.offset != begin);
  EXPECT_FALSE(event.whole());
  EXPECT_EQ(event.front.size(), ArchiveReader::kFrontSize);
  EXPECT_EQ(event.end(), end);
  Event all(event.front.begin(), event.front.end());
  std::vector<std::byte> piece(end - begin - all.size());
  ASSERT_TRUE(reader.read(begin + all.size(), piece));
  all.insert(all.end(), piece.begin(), piece.end());
  const ConstBytes expected = ConstBytes(file.data()).subspan(begin, end - begin);
  EXPECT_TRUE(std::equal(all.begin(), all.end(), expected.begin(), expected.end()));
  ASSERT_EQ(reader.next(event), Step::event);
  EXPECT_EQ(event.header.type, EventType::xid);
}

TEST_F(ArchiveTest, SeeksToBoundariesOnly) {
  BinlogBuilder file;
  const std::uint64_t first = file.format_description();
  file.group(1);
  folder_.write(1, file);
  limit_.set({1, file.size()});
  ArchiveReader reader(place(), limit_);
  ArchivedEvent event;
  for (std::uint64_t offset = 0; offset < file.size() + 40; ++offset) {
    ASSERT_TRUE(reader.open(1));
    reader.seek(offset);
    const Step step = reader.next(event);
    if (offset == first) {
      EXPECT_EQ(step, Step::event);
      EXPECT_EQ(event.header.type, EventType::gtid);
    } else if (offset >= file.size()) {
      EXPECT_EQ(step, Step::at_limit);
    } else if (step == Step::event) {
      EXPECT_EQ(event.header.end_low, event.end());
      EXPECT_TRUE(offset == 4 || offset > first);
    } else {
      EXPECT_EQ(step, Step::failed);
      EXPECT_EQ(reader.error(), "bogus data in log event");
    }
  }
  // Beyond the end of a file that is finished, so it cannot come any more.
  limit_.set({2, 0});
  ASSERT_TRUE(reader.open(1));
  reader.seek(file.size() + 1);
  EXPECT_EQ(reader.next(event), Step::failed);
}

TEST_F(ArchiveTest, DamageIsAnErrorAndNoRead) {
  BinlogBuilder file;
  const std::uint64_t at = file.format_description();
  file.group(1);
  limit_.set({1, file.size()});
  for (const std::uint32_t length :
       {0u, 1u, 18u, static_cast<std::uint32_t>(file.size() - at + 1), 0x7fffffffu, 0xffffffffu}) {
    Event damaged = file.data();
    store_le(damaged.data() + at + 9, length);
    folder_.write("binlog.000001", damaged);
    ArchiveReader reader(place(), limit_);
    ASSERT_TRUE(reader.open(1));
    Step stopped;
    read(reader, stopped);
    EXPECT_EQ(stopped, Step::failed) << length;
    EXPECT_EQ(reader.position().offset, at);
    ArchivedEvent event;
    EXPECT_EQ(reader.next(event), Step::failed);
  }
  // The file is shorter than the limit says.
  const ConstBytes cut = ConstBytes(file.data()).first(file.size() - 1);
  folder_.write("binlog.000001", cut);
  ArchiveReader reader(place(), limit_);
  ASSERT_TRUE(reader.open(1));
  Step stopped;
  read(reader, stopped);
  EXPECT_EQ(stopped, Step::failed);
}

class GtidArchiveTest : public ArchiveTest {
 protected:
  // Three files: 0-11-1…4 and 5-11-1 | 0-11-5…6 | 0-11-7.
  void SetUp() override {
    BinlogBuilder first;
    first.format_description(1);
    first.gtid_list({});
    for (int i = 1; i <= 4; ++i) first.group(static_cast<std::uint64_t>(i));
    first.group(1, 5);
    first.rotate("binlog.000002");
    folder_.write(1, first);
    BinlogBuilder second;
    second.format_description();
    second.gtid_list({{0, 11, 4}, {5, 11, 1}});
    middle_.push_back({2, second.group(5)});
    middle_.push_back({2, second.group(6)});
    second.rotate("binlog.000003");
    folder_.write(2, second);
    BinlogBuilder third;
    header_ends_.push_back({3, third.format_description()});
    header_ends_.push_back({3, third.gtid_list({{0, 11, 6}, {5, 11, 1}})});
    third.group(7);
    end_ = {3, third.size()};
    folder_.write(3, third);
  }

  std::string history_text() {
    auto archive = gtids();
    const auto history = archive.history();
    return history ? history->position().text() : "error: " + archive.error();
  }
  std::uint32_t start_for(const char* position) {
    const auto start = gtids().find_start(*GtidPosition::parse(position));
    return start ? start->number : 0;
  }

  std::vector<Position> middle_;
  std::vector<Position> header_ends_;
  Position end_;
};

TEST_F(GtidArchiveTest, TellsTheHistoryAtTheLimit) {
  EXPECT_NE(history_text().find("error"), std::string::npos);
  limit_.set({1, 0});
  EXPECT_NE(history_text().find("error"), std::string::npos);
  limit_.set(middle_[0]);
  EXPECT_EQ(history_text(), "0-11-5,5-11-1");
  // Between the first events of a file it is the file's before.
  limit_.set({3, 0});
  EXPECT_EQ(history_text(), "0-11-6,5-11-1");
  limit_.set(header_ends_[0]);
  EXPECT_EQ(history_text(), "0-11-6,5-11-1");
  limit_.set(header_ends_[1]);
  EXPECT_EQ(history_text(), "0-11-6,5-11-1");
  limit_.set(end_);
  EXPECT_EQ(history_text(), "0-11-7,5-11-1");
}

TEST_F(GtidArchiveTest, TellsTheHistoryAtAPosition) {
  limit_.set(end_);
  auto archive = gtids();
  EXPECT_EQ(archive.history_at(middle_[0])->position().text(), "0-11-5,5-11-1");
  EXPECT_EQ(archive.history_at({2, 4})->position().text(), "0-11-4,5-11-1");
  EXPECT_EQ(archive.history_at({1, 4})->position().text(), "");
  EXPECT_FALSE(archive.history_at({2, middle_[0].offset + 1}));
  EXPECT_FALSE(archive.history_at({3, end_.offset + 1}));
  EXPECT_FALSE(archive.history_at({4, 4}));
}

TEST_F(GtidArchiveTest, FindsTheFileToBeginWith) {
  limit_.set(end_);
  EXPECT_EQ(start_for(""), 1u);
  EXPECT_EQ(start_for("0-11-2"), 1u);
  EXPECT_EQ(start_for("0-11-2,5-11-1"), 1u);
  EXPECT_EQ(start_for("0-11-4,5-11-1"), 2u);
  EXPECT_EQ(start_for("0-11-5,5-11-1"), 2u);
  EXPECT_EQ(start_for("0-11-6,5-11-1"), 3u);
  EXPECT_EQ(start_for("0-11-9,5-11-1"), 3u);
  EXPECT_EQ(start_for("0-11-9"), 1u);  // of domain 5 it holds nothing
  limit_.set(end_);
  std::filesystem::remove(folder_.path() + "/binlog.000001");
  EXPECT_EQ(start_for("0-11-4,5-11-1"), 2u);
  auto archive = gtids();
  EXPECT_FALSE(archive.find_start(GtidPosition{}));
  EXPECT_NE(archive.error().find("Could not find GTID state requested by slave"),
            std::string::npos);
  EXPECT_EQ(archive.oldest_file(), 2u);
}

TEST_F(GtidArchiveTest, AFileWhoseGtidListIsNotReleasedIsNoneToBeginWith) {
  limit_.set(header_ends_[0]);
  EXPECT_EQ(start_for("0-11-6,5-11-1"), 2u);
}

TEST_F(GtidArchiveTest, ALongReadCanBeCancelled) {
  limit_.set(end_);
  ArchiveGtids archive(place(), limit_, [] { return true; });
  EXPECT_FALSE(archive.history());
}

// A group that contains a position ends after it: no replica that has the stream up to the position
// has that group.
TEST_F(ArchiveTest, AGroupThatBeginsBeforeAPlaceIsOneOfThoseBehindIt) {
  BinlogBuilder file;
  file.format_description();
  file.gtid_list({});
  const std::uint64_t first = file.group(1);
  const std::uint64_t within = file.begin_group(2);
  file.rows();
  file.xid();
  file.group(3);
  folder_.write(1, file);
  const auto behind = [&](std::uint64_t offset) {
    std::vector<std::uint64_t> sequences;
    EXPECT_EQ(read_groups(place(), {1, offset}, 1,
                          [&](const BinlogGroup& group) {
                            sequences.push_back(group.gtid.mariadb()->sequence);
                            return true;
                          }),
              "");
    return sequences;
  };
  EXPECT_EQ(behind(first), (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(behind(within), (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(behind(within + 5), (std::vector<std::uint64_t>{2, 3}));
}

}  // namespace
}  // namespace binlane
