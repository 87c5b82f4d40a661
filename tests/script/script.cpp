#include "script.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace binlane::test {
namespace {

void add_token(ScriptLine& line, const std::string& token) {
  const auto equals = token.find('=');
  if (equals == std::string::npos) {
    line.words.push_back(token);
  } else if (!line.fields.emplace(token.substr(0, equals), token.substr(equals + 1)).second) {
    throw ScriptError(line, "named twice: " + token);
  }
}

void parse_when(ScriptLine& line, const std::string& token, std::uint64_t previous_ns) {
  const auto tilde = token.find('~');
  const std::uint64_t time_ns = parse_time(token.substr(1, tilde - 1));
  line.time_ns = token[0] == '+' ? previous_ns + time_ns : time_ns;
  if (tilde != std::string::npos) line.tolerance_ns = parse_time(token.substr(tilde + 1));
  if (line.time_ns < previous_ns)
    throw ScriptError(line, "has an earlier time than the line before it");
}

}  // namespace

std::uint64_t parse_number(const std::string& text) {
  std::size_t used = 0;
  const std::uint64_t value = std::stoull(text, &used);
  if (used != text.size()) throw std::invalid_argument("not a number: " + text);
  return value;
}

std::uint64_t parse_time(const std::string& text) {
  std::size_t used = 0;
  const double value = std::stod(text, &used);
  const std::string unit = text.substr(used);
  const double factor = unit == "s"    ? 1e9
                        : unit == "ms" ? 1e6
                        : unit == "us" ? 1e3
                        : unit == "ns" ? 1.0
                                       : 0.0;
  if (factor == 0.0 || value < 0) throw std::invalid_argument("not a time: " + text);
  return static_cast<std::uint64_t>(value * factor + 0.5);
}

std::vector<std::uint64_t> parse_list(const std::string& text) {
  std::vector<std::uint64_t> list;
  std::stringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const auto dash = part.find('-');
    const std::uint64_t first = parse_number(part.substr(0, dash));
    const std::uint64_t last =
        dash == std::string::npos ? first : parse_number(part.substr(dash + 1));
    for (std::uint64_t i = first; i <= last; ++i) list.push_back(i);
  }
  return list;
}

std::string show_time(std::uint64_t time_ns) {
  if (time_ns >= 10'000'000) return fmt::format("@{}ms", static_cast<double>(time_ns) / 1e6);
  return fmt::format("@{}us", static_cast<double>(time_ns) / 1e3);
}

std::uint64_t ScriptLine::word(std::size_t index) const {
  if (index >= words.size()) throw ScriptError(*this, verb + " needs a number");
  return parse_number(words[index]);
}

std::uint64_t ScriptLine::field(const std::string& name, std::uint64_t otherwise) const {
  const auto found = fields.find(name);
  return found == fields.end() ? otherwise : parse_number(found->second);
}

void ScriptLine::allow(std::initializer_list<const char*> names) const {
  for (const auto& [name, value] : fields) {
    const bool known = std::any_of(names.begin(), names.end(),
                                   [&](const char* allowed) { return name == allowed; });
    if (!known) throw ScriptError(*this, "unknown field: " + name);
  }
}

Script read_script(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw ScriptError(path + ": cannot be read");
  Script script;
  script.path = path;
  std::uint64_t previous_ns = 0;
  int number = 0;
  for (std::string text; std::getline(file, text);) {
    ++number;
    std::stringstream tokens(text.substr(0, text.find('#')));
    std::string token;
    if (!(tokens >> token)) continue;
    ScriptLine line;
    line.number = number;
    try {
      if (script.head.verb.empty()) {
        line.verb = token;
        while (tokens >> token) add_token(line, token);
        script.head = line;
        continue;
      }
      if (token[0] != '@' && token[0] != '+') throw ScriptError(line, "needs a time first");
      parse_when(line, token, previous_ns);
      previous_ns = line.time_ns;
      if (!(tokens >> token)) throw ScriptError(line, "says nothing");
      if (token == "<" || token == ">" || token == "=") {
        line.kind = token == "<"   ? ScriptLine::Kind::in
                    : token == ">" ? ScriptLine::Kind::out
                                   : ScriptLine::Kind::check;
        if (!(tokens >> token)) throw ScriptError(line, "says nothing");
      }
      line.verb = token;
      while (tokens >> token) add_token(line, token);
    } catch (const std::invalid_argument& error) {
      throw ScriptError(line, error.what());
    }
    script.lines.push_back(line);
  }
  if (script.lines.empty() || script.lines.back().verb != "end")
    throw ScriptError(path + ": does not say when it ends");
  return script;
}

std::string ScriptPacket::text() const {
  std::string text = verb;
  for (const auto& [name, value] : fields) text += fmt::format(" {}={}", name, value);
  return text;
}

std::string ScriptPacket::difference(const ScriptLine& line) const {
  if (line.verb != verb) return fmt::format("expected {}, got {}", line.verb, text());
  for (const auto& [name, wanted] : line.fields) {
    const auto found = fields.find(name);
    if (found == fields.end()) return fmt::format("a {} has no {}", verb, name);
    const bool same = name == "packets" ? parse_list(wanted) == parse_list(found->second)
                                        : wanted == found->second;
    if (!same) return fmt::format("expected {}={}, got {}", name, wanted, text());
  }
  return {};
}

}  // namespace binlane::test
