#include "control/cli/completion.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <vector>

#include "control/cli/verb.h"

namespace binlane::cli {
namespace {

// A parser like the program's own; only its texts are needed.
struct Parser {
  CLI::App app{kSummary, "binlane"};
  Context context;
  const Verb* chosen = nullptr;
  Parser() { build_parser(app, context, chosen); }
};

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* const option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// The words that a verb's options and actions may take: their checks list them in braces.
std::vector<std::string> choices(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::Option* const option : app.get_options()) {
    const std::string type = option->get_type_name();
    const auto begin = type.find('{');
    const auto end = type.find('}');
    if (begin == std::string::npos || end == std::string::npos) continue;
    std::string word;
    for (const char c : type.substr(begin + 1, end - begin - 1) + ",") {
      if (c != ',') {
        word += c;
        continue;
      }
      words.push_back(word);
      word.clear();
    }
  }
  return words;
}

std::string bash_script(const CLI::App& app) {
  std::string cases;
  std::vector<std::string> names;
  for (const CLI::App* const verb : app.get_subcommands({})) {
    names.push_back(verb->get_name());
    cases += fmt::format("    {}) words=\"{} {}\" ;;\n", verb->get_name(),
                         fmt::join(option_names(*verb), " "), fmt::join(choices(*verb), " "));
  }
  return fmt::format(
      "# bash completion for binlane; made by: binlane completion bash\n"
      "_binlane() {{\n"
      "  local current=\"${{COMP_WORDS[COMP_CWORD]}}\" verb=\"\" word words\n"
      "  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n"
      "    case \"$word\" in\n"
      "      {}) verb=\"$word\"; break ;;\n"
      "    esac\n"
      "  done\n"
      "  case \"$verb\" in\n"
      "    \"\") words=\"{} {}\" ;;\n"
      "{}"
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words {}\" -- \"$current\"))\n"
      "}}\n"
      "complete -F _binlane binlane\n",
      fmt::join(names, "|"), fmt::join(names, " "), fmt::join(option_names(app), " "), cases,
      fmt::join(option_names(app), " "));
}

// In single quotes, with zsh's syntax characters escaped.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else if (c == ':' || c == '[' || c == ']')
      (out += '\\') += c;
    else
      out += c;
  }
  return out;
}

std::string zsh_script(const CLI::App& app) {
  std::string described, cases;
  for (const CLI::App* const verb : app.get_subcommands({})) {
    described += fmt::format("    '{}:{}'\n", verb->get_name(), zsh_text(verb->get_description()));
    cases += fmt::format("    {}) compadd -- {} {} ;;\n", verb->get_name(),
                         fmt::join(option_names(*verb), " "), fmt::join(choices(*verb), " "));
  }
  return fmt::format(
      "#compdef binlane\n"
      "# zsh completion for binlane; made by: binlane completion zsh\n"
      "_binlane() {{\n"
      "  local -a verbs\n"
      "  verbs=(\n{}  )\n"
      "  local word verb=\"\"\n"
      "  for word in ${{words[2,CURRENT-1]}}; do\n"
      "    if (( ${{verbs[(I)$word:*]}} )); then verb=$word; break; fi\n"
      "  done\n"
      "  case \"$verb\" in\n"
      "    \"\") _describe verb verbs; compadd -- {} ;;\n"
      "{}"
      "  esac\n"
      "}}\n"
      "_binlane \"$@\"\n",
      described, fmt::join(option_names(app), " "), cases);
}

// Text that roff shows as it is.
std::string roff(const std::string& text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    line_begins = c == '\n';
  }
  return out;
}

std::string roff_options(const CLI::App& app) {
  std::string text;
  for (const CLI::Option* const option : app.get_options()) {
    const std::string name = option->get_positional() ? option->get_name(true) : option->get_name();
    text += fmt::format(".TP\n.B {}\n{}\n", roff(name), roff(option->get_description()));
  }
  return text;
}

}  // namespace

std::string completion_script(const std::string& shell) {
  const Parser parser;
  return shell == "zsh" ? zsh_script(parser.app) : bash_script(parser.app);
}

std::string man_page(const std::string& version) {
  const Parser parser;
  const CLI::App& app = parser.app;
  std::string text = fmt::format(
      ".TH BINLANE 1 \"\" \"binlane {}\" \"User Commands\"\n"
      ".SH NAME\nbinlane \\- control a binlaned\n"
      ".SH SYNOPSIS\n.B binlane\n[\\fIoptions\\fR] \\fIverb\\fR [\\fIarguments\\fR]\n"
      ".SH DESCRIPTION\n{}\n.SH OPTIONS\n{}.SH VERBS\n",
      version, roff(app.get_description()), roff_options(app));
  for (const CLI::App* const verb : app.get_subcommands({})) {
    text += fmt::format(".SS {}\n{}\n{}", roff(verb->get_name()), roff(verb->get_description()),
                        roff_options(*verb));
    if (!verb->get_footer().empty())
      text += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(verb->get_footer()));
  }
  text += fmt::format(".SH NOTES\n.nf\n{}\n.fi\n", roff(app.get_footer()));
  return text + ".SH SEE ALSO\n.BR binlaned (8)\n";
}

}  // namespace binlane::cli
