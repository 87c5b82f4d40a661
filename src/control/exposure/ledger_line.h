// One line of the ledger's file: JSON, closed by a CRC32C of everything before it.
//
//   {"line":2,"type":"open","id":1,"epoch":"1.3","from":{"file":17,"offset":4096},"kind":"own",
//    "reason":"…","at":"…","crc32c":"9a0b1c2d"}
//
// Pure functions; every byte of a line is checked before it is believed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "control/exposure/ledger.h"

namespace binlane {

inline constexpr std::uint64_t kLedgerVersion = 1;

// The complete line with its newline. `number` is the line's place in the file, from 1.
std::string encode_ledger_line(std::uint64_t number, const LedgerRecord& record);

// The record, or what is wrong with the line (given without its newline).
std::variant<LedgerRecord, std::string> decode_ledger_line(std::uint64_t number,
                                                           std::string_view line);

}  // namespace binlane
