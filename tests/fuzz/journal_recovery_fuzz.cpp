// The journal's recovery over a ring and a superblock that anything happened to, and the decoders
// of the records beside it.
//
// An input is {operations, changes of the superblock, changes of the ring, record bytes}. The
// operations write a journal; each change of the ring is {control, slot, offset, length, value},
// and bit 0 of its control byte seals the block again, bit 1 links all that follow to it.
#include <algorithm>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/exposure/ledger_line.h"
#include "control/stream/source_state.h"
#include "fuzz_journal.h"
#include "fuzz_target.h"
#include "storage/journal/journal_meta.h"
#include "storage/journal/recovery.h"
#include "storage/record_slots.h"

namespace {

using namespace binlane;

constexpr std::uint32_t kBlocks = kMinJournalBlocks;
constexpr std::size_t kMaxOperations = 96;
constexpr std::size_t kMaxChanges = 32;

class Ring {
 public:
  Ring() {
    meta.journal.bytes.fill(0x42);
    meta.block_count = kBlocks;
    meta.incarnation = 1;
    JournalStart start;
    start.journal_id = meta.journal_id();
    journal_.emplace(image_.bytes(), start);
    cursor_.emplace(*journal_, JournalConsumed{});
    journal_->begin_at({1, 4});
  }

  void operate(fuzz::Input& input) {
    const std::uint8_t operation = input.byte();
    const std::uint16_t amount = input.number<std::uint16_t>();
    Journal& journal = *journal_;
    switch (operation % 8) {
      case 0:
        journal.append(journal.end(), std::vector<std::byte>(amount % 9'000 + 1, std::byte{0x5a}));
        break;
      case 1:
        if (journal.end().offset > 0) {
          journal.append_file_end({journal.end().file, journal.end().offset, 0, 0});
        }
        break;
      case 2:
        journal.start_epoch({1, journal.epoch().incarnation + 1});
        break;
      case 3:
        write();
        journal.cut(
            journal.released_log() + amount % (journal.end_log() - journal.released_log() + 1),
            {1, journal.epoch().incarnation + 1});
        break;
      case 4:
        journal.release(amount);
        break;
      case 5:
        while (cursor_->next(journal.release_mark())) {
        }
        meta.archived = cursor_->consumed();
        meta.durable_sequence = journal.release_mark().durable_sequence;
        meta.durable = journal.release_mark().durable;
        meta.released = journal.release_mark().position;
        journal.on_archived(meta.archived.sequence);
        break;
      default:
        write();
    }
  }
  void write() {
    while (const auto write = journal_->next_write()) {
      std::copy_n(write->data, write->length, platter.bytes().data() + write->offset);
      journal_->on_completion({write->id, static_cast<std::int32_t>(write->length)});
    }
  }

  void change(fuzz::Input& input) {
    const std::uint8_t control = input.byte();
    const std::size_t slot = input.byte() % kBlocks;
    const std::size_t offset = input.number<std::uint16_t>() % kBlockSize;
    const std::size_t length = input.number<std::uint16_t>() % kBlockSize;
    const std::byte value{input.byte()};
    auto* const bytes = reinterpret_cast<std::byte*>(&platter.block(slot));
    if ((control & 4) != 0) {
      platter.block(slot) = platter.block((slot + length) % kBlocks);  // misdirected
    } else if ((control & 8) != 0) {
      bytes[offset] ^= value;
    } else {
      std::fill_n(bytes + offset, std::min(length, kBlockSize - offset), value);
    }
    if ((control & 1) == 0) return;
    finish_block(platter.block(slot));
    for (std::size_t next = slot + 1; (control & 2) != 0 && next < kBlocks; ++next) {
      platter.block(next).previous_crc = platter.block(next - 1).integrity.crc;
      finish_block(platter.block(next));
    }
  }

  JournalMeta meta;
  fuzz::BlockMemory platter{kBlocks};

 private:
  static void finish_block(Block& block) {
    block.magic = kBlockMagic;
    block.integrity = {};
    block.integrity.crc = block_crc(block);
  }

  fuzz::BlockMemory image_{kBlocks};
  std::optional<Journal> journal_;
  std::optional<JournalCursor> cursor_;
};

void check_recovery(fuzz::BlockMemory& platter, const JournalMeta& meta) {
  const RecoveredJournal recovered = recover_journal(platter.bytes(), meta);
  if (!recovered.refusal.empty()) return;
  const JournalStart& start = recovered.start;
  BL_ASSERT(start.incarnation == meta.incarnation + 1);
  BL_ASSERT(start.next_sequence > start.archived_sequence);
  BL_ASSERT(start.released <= start.end && start.archived <= start.end);
  if (recovered.damage) {
    BL_ASSERT(recovered.damage->first_sequence == start.next_sequence);
    BL_ASSERT(!start.damaged_until.is_null());
    BL_ASSERT(!start.damaged_until.is_reached_by(start.epoch, start.end));
  }
  // What it accepts can be opened, served and appended to.
  fuzz::BlockMemory opened(kBlocks);
  std::copy_n(platter.bytes().data(), opened.bytes().size(), opened.bytes().data());
  Journal journal(opened.bytes(), start);
  BL_ASSERT(journal.end() == start.end && journal.durable_log() == journal.end_log());
  journal.release(journal.end_log());
  JournalCursor cursor(journal, meta.archived);
  std::uint64_t walked = 0;
  while (const auto chunk = cursor.next(journal.release_mark())) {
    walked += chunk->file_end ? 1 : chunk->bytes.size();
  }
  BL_ASSERT(walked == journal.end_log());
  // Found again with the superblock that this opening stores: the same log, no new damage.
  const JournalMeta stored = superblock_after(meta, start);
  const RecoveredJournal again = recover_journal(platter.bytes(), stored);
  BL_ASSERT(again.refusal.empty() && again.start.end == start.end);
  BL_ASSERT(again.start.next_sequence == start.next_sequence);
  BL_ASSERT(again.start.epoch == start.epoch && again.start.released == start.released);
  BL_ASSERT(start.damaged_until.is_null() || !again.start.damaged_until.is_null());
}

// What these decoders accept encodes to the same bytes.
void check_records(ConstBytes bytes) {
  std::string error;
  if (const auto meta = decode_journal_meta(bytes, error)) {
    std::string reason;
    const auto again = decode_journal_meta(encode_journal_meta(*meta), reason);
    BL_ASSERT(again && encode_journal_meta(*again) == encode_journal_meta(*meta));
  } else {
    BL_ASSERT(!error.empty());
  }
  if (const auto state = decode_source_state(bytes)) {
    const auto encoded = encode_source_state(*state);
    BL_ASSERT(std::equal(encoded.begin(), encoded.end(), bytes.begin(), bytes.end()));
  }
  const std::string line(fuzz::text_of(bytes));
  const auto record = decode_ledger_line(2, line);
  if (const auto* const decoded = std::get_if<LedgerRecord>(&record)) {
    const std::string encoded = encode_ledger_line(2, *decoded);
    const auto again =
        decode_ledger_line(2, std::string_view(encoded).substr(0, encoded.size() - 1));
    BL_ASSERT(std::holds_alternative<LedgerRecord>(again));
  }
  // Two slots of a durable record, the second one as it is made.
  std::vector<std::byte> both(kRecordSize);
  std::copy_n(bytes.begin(), std::min(bytes.size(), kRecordSlotSize), both.begin());
  const auto payload = bytes.first(std::min(bytes.size(), kMaxRecordPayload));
  const auto slot = make_record_slot(1, payload);
  std::copy(slot.begin(), slot.end(), both.begin() + kRecordSlotSize);
  const auto contents = read_record(both, error);
  BL_ASSERT(!contents || contents->sequence != 1 ||
            std::equal(payload.begin(), payload.end(), contents->payload->begin(),
                       contents->payload->end()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  Ring ring;
  for (std::size_t left = input.byte() % kMaxOperations; left > 0; --left) ring.operate(input);

  // The superblock as bytes; what it refuses is not opened.
  std::vector<std::byte> encoded = encode_journal_meta(ring.meta);
  for (std::size_t left = input.byte() % kMaxChanges; left > 0; --left) {
    const std::size_t at = input.byte() % encoded.size();
    encoded[at] = std::byte{input.byte()};
  }
  for (std::size_t left = input.byte() % kMaxChanges; left > 0; --left) ring.change(input);
  std::string error;
  const auto meta = decode_journal_meta(encoded, error);
  // Opening compares the ring's size with the configured one before anything else.
  if (meta && meta->block_count == kBlocks) check_recovery(ring.platter, *meta);
  check_records(input.rest());
  return 0;
}
