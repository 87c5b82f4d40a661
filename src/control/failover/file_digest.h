// digest_up_to(): the digest by which two hosts recognise the file in which a stream was sealed.
#pragma once

#include <cstdint>
#include <optional>

#include "base/position.h"
#include "shim/binlog/binlog_folder.h"

namespace binlane {

// The digest (base/stream_digest.h) of a file's bytes from its first one to `end`. If `end` is the
// beginning of a file, that of the whole previous file. Nothing if the bytes cannot be read. Blocks
// while it reads them all.
std::optional<std::uint32_t> digest_up_to(const BinlogFolder& folder, Position end);

}  // namespace binlane
