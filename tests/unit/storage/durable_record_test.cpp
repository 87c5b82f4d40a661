#include "storage/durable_record.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "support/temporary_directory.h"

namespace binlane {
namespace {

ConstBytes bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string text(const DurableRecord& record) {
  if (!record.load()) return "(nothing)";
  return {reinterpret_cast<const char*>(record.load()->data()), record.load()->size()};
}

void flip_bit(const std::string& path, std::uint64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(byte ^ 1));
}

TEST(DurableRecord, IsEmptyWhenNewAndKeepsTheNewestStore) {
  const TemporaryDirectory folder;
  const std::string path = folder.file("state");
  EXPECT_FALSE(DurableRecord::exists(path));
  {
    DurableRecord record(path);
    EXPECT_FALSE(record.load().has_value());
  }
  EXPECT_TRUE(DurableRecord::exists(path));
  for (int i = 0; i < 5; ++i) {
    DurableRecord record(path);
    EXPECT_EQ(text(record), i == 0 ? "(nothing)" : "value " + std::to_string(i - 1));
    EXPECT_EQ(record.store(bytes("value " + std::to_string(i))), 0);
    EXPECT_EQ(text(record), "value " + std::to_string(i));
  }
  EXPECT_EQ(std::filesystem::file_size(path), 2 * DurableRecord::kSlotSize);
}

TEST(DurableRecord, KeepsAnEmptyPayloadAndTheLargest) {
  const TemporaryDirectory folder;
  const std::string largest(DurableRecord::kMaxPayloadSize, 'x');
  {
    DurableRecord record(folder.file("state"));
    EXPECT_EQ(record.store({}), 0);
  }
  {
    DurableRecord record(folder.file("state"));
    ASSERT_TRUE(record.load().has_value());
    EXPECT_TRUE(record.load()->empty());
    EXPECT_EQ(record.store(bytes(largest)), 0);
  }
  EXPECT_EQ(text(DurableRecord(folder.file("state"))), largest);
}

// A store writes one slot; whatever a crash leaves of that slot, the record is the previous one.
TEST(DurableRecord, SurvivesATornStoreAtEverySector) {
  const TemporaryDirectory folder;
  const std::string path = folder.file("state");
  {
    DurableRecord record(path);
    ASSERT_EQ(record.store(bytes("one")), 0);  // slot 1
    ASSERT_EQ(record.store(bytes("two")), 0);  // slot 0
  }
  for (std::uint64_t offset = 0; offset < DurableRecord::kSlotSize; offset += 61) {
    flip_bit(path, offset);
    {
      const DurableRecord record(path);
      EXPECT_EQ(text(record), "one") << "bit flipped at " << offset;
      EXPECT_TRUE(record.slot_was_damaged());
    }
    flip_bit(path, offset);
  }
  EXPECT_EQ(text(DurableRecord(path)), "two");
}

TEST(DurableRecord, StoresOverADamagedSlot) {
  const TemporaryDirectory folder;
  const std::string path = folder.file("state");
  {
    DurableRecord record(path);
    ASSERT_EQ(record.store(bytes("one")), 0);
    ASSERT_EQ(record.store(bytes("two")), 0);
  }
  flip_bit(path, 100);
  {
    DurableRecord record(path);
    ASSERT_EQ(text(record), "one");
    ASSERT_EQ(record.store(bytes("again")), 0);
  }
  const DurableRecord record(path);
  EXPECT_EQ(text(record), "again");
  EXPECT_FALSE(record.slot_was_damaged());
}

TEST(DurableRecord, RefusesAFileInWhichNothingValidates) {
  const TemporaryDirectory folder;
  const std::string path = folder.file("state");
  {
    DurableRecord record(path);
    ASSERT_EQ(record.store(bytes("one")), 0);
    ASSERT_EQ(record.store(bytes("two")), 0);
  }
  flip_bit(path, 100);
  flip_bit(path, DurableRecord::kSlotSize + 100);
  EXPECT_THROW(DurableRecord{path}, StartupError);
  std::filesystem::resize_file(path, 0);
  EXPECT_THROW(DurableRecord{path}, StartupError);
}

TEST(DurableRecord, RefusesASecondOpening) {
  const TemporaryDirectory folder;
  const DurableRecord record(folder.file("state"));
  EXPECT_THROW(DurableRecord{folder.file("state")}, StartupError);
}

TEST(DurableRecord, SaysWhatIsWrongWithAMissingFolder) {
  try {
    DurableRecord record("/nonexistent-folder/state");
    FAIL() << "expected StartupError";
  } catch (const StartupError& error) {
    EXPECT_NE(std::string(error.what()).find("/nonexistent-folder/state"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("No such file"), std::string::npos);
  }
}

TEST(DurableRecord, TakesAnUnfinishedCreationForNoRecord) {
  const TemporaryDirectory folder;
  std::ofstream(folder.file("state.new")) << "left over";
  EXPECT_FALSE(DurableRecord(folder.file("state")).load().has_value());
}

}  // namespace
}  // namespace binlane
