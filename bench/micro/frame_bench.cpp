// Frames: what sealing and checking one costs, and the CRC alone, by payload size.
#include <vector>

#include "base/crc32c.h"
#include "counted.h"
#include "dataplane/session/frame.h"

namespace binlane::bench {
namespace {

struct DataFrame {
  explicit DataFrame(std::size_t payload) : bytes(wire::kDataOverhead + payload) {
    tags.session_id = 7;
    tags.epoch = {1, 1};
    body_length = static_cast<std::uint32_t>(sizeof(wire::DataBody) + payload);
  }
  std::uint32_t seal_next() {
    ++tags.packet_number;
    return finish_frame(bytes, tags, body_length);
  }

  std::vector<std::byte> bytes;
  FrameTags tags;
  std::uint32_t body_length = 0;
};

void crc(benchmark::State& state) {
  const std::vector<std::byte> bytes(static_cast<std::size_t>(state.range(0)), std::byte{0x5a});
  run_counted(state, [&] { benchmark::DoNotOptimize(crc32c(0, bytes)); });
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(crc)->Name("crc32c/bytes")->Arg(64)->Arg(1376)->Arg(4096);

void encode(benchmark::State& state) {
  DataFrame frame(static_cast<std::size_t>(state.range(0)));
  run_counted(state, [&] { benchmark::DoNotOptimize(frame.seal_next()); });
}
BENCHMARK(encode)->Name("frame_encode/payload")->Arg(0)->Arg(64)->Arg(1376);

void check(benchmark::State& state) {
  DataFrame frame(static_cast<std::size_t>(state.range(0)));
  frame.seal_next();
  run_counted(state, [&] {
    FrameView view;
    if (decode(frame.bytes, view) != FrameFault::none) state.SkipWithError("a frame did not hold");
    benchmark::DoNotOptimize(view);
  });
}
BENCHMARK(check)->Name("frame_decode/payload")->Arg(0)->Arg(64)->Arg(1376);

}  // namespace
}  // namespace binlane::bench
