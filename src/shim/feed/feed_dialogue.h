// FeedDialogue: how the feed presents itself to its clients: as a server of the kind whose binlogs
// it serves.
//
// A replica first asks what server this is, and then goes on in a way that suits that server. So
// there is one dialogue for each GTID grammar, chosen once for each connection by what the archive
// reveals; no other code asks for the grammar in order to find words. Plain constants and pure
// functions: any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "shim/binlog/gtid_set.h"

namespace binlane {

// The server version that clients of a MariaDB source's archive see, and those that connect while
// nothing tells yet whose archive it is.
inline constexpr std::string_view kFeedServerVersion = "5.5.5-10.11.0-MariaDB-binlane";

// A variable whose value depends on no source.
struct FeedConstant {
  std::string_view name;
  std::string_view value;
};

struct FeedDialogue {
  GtidGrammar grammar;

  // --- the login
  // In the greeting. Empty: the version in the archive's newest format description event.
  std::string_view greeting;
  // By which clients may log in; the first one is offered.
  std::span<const std::string_view> plugins;

  // --- answers to statements
  std::span<const FeedConstant> constants;
  // Names of the variables whose values the archive reveals.
  std::span<const std::string_view> of_source;
  std::span<const std::string_view> status_columns;    // where the binlog ends
  std::span<const std::string_view> binlog_columns;    // which files there are
  std::span<const std::string_view> replicas_columns;  // who has registered; nobody is shown

  // --- to replicas of the other kind of server
  std::string_view other_kind;  // why they get nothing
  // A session variable that they alone set. Their IO thread stops if it may not, whereas it tries
  // again for ever if a SELECT fails. Empty: there is none, and they are refused when they dump.
  std::string_view only_they_set;

  // --- what goes wrong, in the source's own words
  std::string_view no_privilege;
  std::string_view same_id;             // another replica has this one's id
  std::string_view no_checksums;        // the replica does not know them, and the binlog has them
  std::string_view before_first_event;  // it asks for a position before any event
  std::string_view beyond_end;          // for a position that has not come; empty: its own words
  std::string_view sealed_by_position;  // it follows by files that ended with a promotion
};

const FeedDialogue& feed_dialogue(GtidGrammar grammar);

// What is said to one client for as long as it is connected.
struct FeedGreeting {
  const FeedDialogue* dialogue;
  std::string server_version;  // as the greeting has it

  // While there is no format description event yet.
  FeedGreeting() : FeedGreeting(std::string_view()) {}
  // `archived`: the version in the newest one.
  explicit FeedGreeting(std::string_view archived);
  // As clients see it that do not read it from the greeting.
  std::string_view version() const noexcept;
};

}  // namespace binlane
