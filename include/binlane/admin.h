// The admin protocol of binlaned, for programs that use it without Binlane's own CLI.
//
// A client connects to the daemon's unix socket and writes requests, one JSON object a line:
//   {"verb": "status"}
// and reads one line for each, in order:
//   {"ok": true, "result": …}   or
//   {"ok": false, "error": {"field": "verb", "message": "…"}}
// `field` names the member of the request that the error is about; it is empty if the request as a
// whole is at fault. After a line that is too long or not JSON the daemon answers and closes the
// connection. The socket's file mode and group decide who may connect: 0660 with admin_group. With
// view_group the mode is 0666, and the daemon itself refuses everybody but root, its own user and
// members of the two groups. Root, the daemon's own user and members of admin_group are operators;
// everybody else may only read. Every request of an operator's verb is recorded in
// data_dir/audit.jsonl.
#pragma once

#include <cstddef>
#include <cstdint>

namespace binlane::admin {

inline constexpr std::uint32_t kProtocolVersion = 1;
// The longest request line, its newline included.
inline constexpr std::size_t kMaxRequestBytes = std::size_t{64} * 1024;
// The longest answer.
inline constexpr std::size_t kMaxResponseBytes = std::size_t{4} * 1024 * 1024;
// Connections served at a time. One more is told so and closed.
inline constexpr std::size_t kMaxClients = 32;
// Of these, places for operators only. If those are taken as well, a further operator gets the
// place of the connection that has been idle the longest.
inline constexpr std::size_t kOperatorPlaces = 8;
// The daemon closes a connection that has not completed a request, or not read its answer, within
// this time.
inline constexpr std::uint32_t kClientTimeoutMs = 10'000;
inline constexpr std::uint32_t kSocketMode = 0660;
inline constexpr std::uint32_t kSocketModeForViewers = 0666;

inline constexpr const char* kVerb = "verb";
// Member of promote, rejoin, unfence and ledger_ack: true carries the verb out although the request
// cannot be recorded.
inline constexpr const char* kWithoutAudit = "without_audit";
inline constexpr const char* kVerbStatus = "status";
inline constexpr const char* kVerbPing = "ping";
// {"verb": "promote", "replica": NAME}: makes this host the source. NAME is this host's own, as a
// guard. The answer comes at once; "promotion" shows the progress.
inline constexpr const char* kVerbPromote = "promote";
inline constexpr const char* kVerbPromotion = "promotion";
// {"verb": "fence", "host": NAME, "reason": TEXT, "kill_server": BOOL}: operators; a source gives
// no quorum any more, and any other host serves no source of this term any more. NAME is this
// host's own, as a guard. {"verb": "unfence", "host": NAME}: operators; ends that on a source.
inline constexpr const char* kVerbFence = "fence";
inline constexpr const char* kVerbUnfence = "unfence";
inline constexpr std::size_t kMaxFenceReasonBytes = 200;
// {"verb": "rejoin", "cut": false, "rebuilt": false}: makes this host, which was the source, a
// replica again. The answer comes at once; "rejoining" shows the progress.
inline constexpr const char* kVerbRejoin = "rejoin";
inline constexpr const char* kVerbRejoining = "rejoining";
// {"verb": "verdict", "what": "0-1-42"} or {"verb": "verdict", "what": "binlog.000003:1234",
// "term": 2}: the term of the stream that the position belongs to; needed once a host was promoted.
inline constexpr const char* kVerbVerdict = "verdict";
// {"verb": "variables"}: every setting, its value now, and whether it may change live.
inline constexpr const char* kVerbVariables = "variables";
// {"verb": "set", "key": NAME, "value": TEXT}: operators; until the next start.
inline constexpr const char* kVerbSet = "set";
// {"verb": "reload"}: operators; applies from the file what may change live.
inline constexpr const char* kVerbReload = "reload";
// {"verb": "config"}: the configuration in force, as a file.
inline constexpr const char* kVerbConfig = "config";
// {"verb": "degrade"} and {"verb": "resume"}: operators; let commits go on without semi-sync, and
// end that.
inline constexpr const char* kVerbDegrade = "degrade";
inline constexpr const char* kVerbResume = "resume";
// {"verb": "ledger"}: the intervals; {"verb": "ledger_groups", "id": N}: the transactions in one;
// {"verb": "ledger_ack", "id": N}: operators; acknowledges all intervals up to N.
inline constexpr const char* kVerbLedger = "ledger";
inline constexpr const char* kVerbLedgerGroups = "ledger_groups";
inline constexpr const char* kVerbLedgerAck = "ledger_ack";
// {"verb": "histograms"}: how long each stage of a commit takes. {"verb": "trace", "last": N}: the
// newest commit groups by stage.
inline constexpr const char* kVerbHistograms = "histograms";
inline constexpr const char* kVerbTrace = "trace";
// {"verb": "metrics"}: what the Prometheus endpoint shows, as its text.
inline constexpr const char* kVerbMetrics = "metrics";
// The environment variable that names the socket for `binlane`.
inline constexpr const char* kSocketEnvironment = "BINLANE_SOCKET";

}  // namespace binlane::admin
