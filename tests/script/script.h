// A packet script: a text file of packets in and out of one side of a session, with times.
//
//   # A comment says what the script shows.
//   source                       the side under test, then its options: name=value
//   @0us    written 3000         something happens
//   @0us    > data packet=1      a packet that must come out, now
//   +50us   < ack received=3000  a packet that comes in, 50 us after the line before
//   @10ms~1ms > marks            a packet that must come out within a millisecond of this time
//   +0us    = quorum 3000        what must hold after this moment's turns
//   @1s     end                  nothing else comes out until here
//
// Fields that a line does not name are not compared. Lines stand in the order of their times.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace binlane::test {

struct ScriptLine {
  int number = 0;  // in the file
  std::uint64_t time_ns = 0;
  std::uint64_t tolerance_ns = 0;
  enum class Kind { action, in, out, check } kind = Kind::action;
  std::string verb;
  std::vector<std::string> words;             // without '='
  std::map<std::string, std::string> fields;  // name=value

  std::uint64_t word(std::size_t index) const;
  std::uint64_t field(const std::string& name, std::uint64_t otherwise) const;
  // Throws unless every field is one of these.
  void allow(std::initializer_list<const char*> names) const;
};

struct Script {
  std::string path;
  ScriptLine head;  // verb: "source" or "replica"; fields: its options
  std::vector<ScriptLine> lines;
};

// What is wrong, and at which line (0: none in particular).
struct ScriptError : std::runtime_error {
  using std::runtime_error::runtime_error;
  ScriptError(const ScriptLine& at, const std::string& why)
      : std::runtime_error(why), line(at.number) {}
  int line = 0;
};

Script read_script(const std::string& path);

// "5", "5us", "1.5ms" as nanoseconds.
std::uint64_t parse_time(const std::string& text);
std::uint64_t parse_number(const std::string& text);
// "1,3-5" as {1, 3, 4, 5}.
std::vector<std::uint64_t> parse_list(const std::string& text);
std::string show_time(std::uint64_t time_ns);

// A packet or a mark as text fields, to compare with what a line names.
struct ScriptPacket {
  std::string verb;
  std::map<std::string, std::string> fields;

  std::string text() const;
  // Empty when it is what the line says; otherwise the first difference.
  std::string difference(const ScriptLine& line) const;
};

}  // namespace binlane::test
