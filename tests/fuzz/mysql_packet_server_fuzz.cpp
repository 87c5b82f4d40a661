// What a server sends us: its greeting, its errors, and the stream of a dump connection, with and
// without semi-sync headers.
//
// An input is {options, cuts, bytes}.
#include <algorithm>
#include <string>
#include <vector>

#include "fuzz_target.h"
#include "shim/feed/mysql_packet.h"
#include "shim/server/dump_parser.h"

namespace {

using namespace binlane;

// An event with a copy of its name: the parser's view ends with the next call.
struct Seen {
  EventType type;
  bool ack_wanted;
  bool artificial;
  Position end;
  Position next;
  std::uint64_t wire_bytes;
  std::string next_file_name;

  bool operator==(const Seen&) const = default;
};

struct Outcome {
  std::vector<Seen> events;
  DumpParser::State state = DumpParser::State::running;
  Position position;
  std::string reason;

  bool operator==(const Outcome&) const = default;
};

Outcome parse(const DumpParser::Options& options, ConstBytes cuts, ConstBytes bytes) {
  DumpParser parser(options);
  Outcome outcome;
  std::size_t at = 0;
  for (std::size_t i = 0; at < bytes.size() && parser.state() == DumpParser::State::running; ++i) {
    const std::size_t cut =
        cuts.empty() ? bytes.size() : std::to_integer<std::size_t>(cuts[i % cuts.size()]) + 1;
    ConstBytes input = bytes.subspan(at, std::min(cut, bytes.size() - at));
    at += input.size();
    while (true) {
      const std::size_t before = input.size();
      const Position position = parser.position();
      DumpEvent event;
      const DumpParser::Result result = parser.next(input, event);
      BL_ASSERT(input.size() <= before);
      if (result != DumpParser::Result::event) {
        BL_ASSERT(result == DumpParser::Result::stopped || input.empty());
        BL_ASSERT((result == DumpParser::Result::stopped) ==
                  (parser.state() != DumpParser::State::running));
        break;
      }
      BL_ASSERT(input.size() < before);
      // The position only grows, and an event that proves anything ends at that position.
      BL_ASSERT(parser.position() >= position);
      BL_ASSERT(!proves_synced(event) || event.end == parser.position());
      BL_ASSERT(event.wire_bytes <= bytes.size());
      outcome.events.push_back({event.type, event.ack_wanted, event.artificial, event.end,
                                event.next, event.wire_bytes, std::string(event.next_file_name)});
    }
  }
  outcome.state = parser.state();
  outcome.position = parser.position();
  outcome.reason = parser.malformed_reason();
  if (parser.state() == DumpParser::State::server_error) {
    outcome.reason = std::string(parser.server_error().text);
    BL_ASSERT(outcome.reason.size() <= DumpParser::kKeptBytes);
  }
  return outcome;
}

void check_packets(ConstBytes payload) {
  if (const auto greeting = mysql::parse_handshake(payload)) {
    const auto again = mysql::parse_handshake(mysql::build_handshake(*greeting));
    BL_ASSERT(again && again->server_version == greeting->server_version);
    BL_ASSERT(again->challenge == greeting->challenge);
    BL_ASSERT(again->connection_id == greeting->connection_id);
  }
  if (const auto error = mysql::parse_error(payload)) {
    const auto again = mysql::parse_error(mysql::build_error(*error));
    BL_ASSERT(again && again->code == error->code && again->message == error->message);
    BL_ASSERT(error->state.size() == 5 && again->state == error->state);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t flags = input.byte();
  const DumpParser::Options options{(flags & 1) != 0, (flags & 2) != 0};
  const ConstBytes cuts = input.take(1 + (flags >> 2) % 8);
  const ConstBytes bytes = input.rest();
  BL_ASSERT(parse(options, {}, bytes) == parse(options, cuts, bytes));
  check_packets(bytes);
  return 0;
}
