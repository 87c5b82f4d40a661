// The metrics that are one value of the status each: a table for each kind of object in it.
#pragma once

#include <prometheus/metric_type.h>

namespace binlane::metric_rows {

inline constexpr double kMillisecond = 1e-3;
inline constexpr double kMicrosecond = 1e-6;

// One metric: where its value is in the status, and the factor that converts it to base units.
struct Row {
  const char* name;
  prometheus::MetricType type;
  const char* help;
  const char* path;  // JSON pointer
  double factor = 1;
};

inline constexpr auto kGauge = prometheus::MetricType::Gauge;
inline constexpr auto kCounter = prometheus::MetricType::Counter;

// While the stream runs. For a standby or a fenced host they would say that its quorum is gone.
inline constexpr Row kRunningRows[] = {
    {"binlane_quorum_connected", kGauge, "1 while the connected replicas can satisfy the rule.",
     "/quorum_connected"},
    {"binlane_quorum_margin", kGauge,
     "Replicas that may still be lost before no quorum is left; -1: there is none.",
     "/quorum_margin"},
};

inline constexpr Row kSourceRows[] = {
    {"binlane_rule_changing", kGauge, "1 while a change of the quorum rule is in progress.",
     "/rule_changing"},
    {"binlane_blocked", kGauge, "1 while commits wait beyond the timeout and are not released.",
     "/blocked"},
    {"binlane_held", kGauge, "1 while semi-sync is off because an operator asked for that.",
     "/held"},
    {"binlane_other_ackers", kGauge,
     "Semi-sync clients of the server besides Binlane, which release commits too.",
     "/other_ackers"},
    {"binlane_newest_binlog", kGauge, "Number of the server's newest binlog file.",
     "/newest_binlog"},
    {"binlane_read_only", kGauge,
     "1 while Binlane has made the server read-only, and the server says that it is.",
     "/read_only"},
    {"binlane_timeout_seconds", kGauge, "How long a commit waits for the quorum.", "/timeout_ms",
     kMillisecond},
    {"binlane_oldest_wait_seconds", kGauge, "How long the oldest waiting commit has waited.",
     "/oldest_wait_ms", kMillisecond},
    {"binlane_state_age_seconds", kGauge, "How long the state has lasted.", "/state_since_ms",
     kMillisecond},
    {"binlane_ledger_intervals_total", kCounter, "Intervals ever opened in the ledger.",
     "/ledger/entries"},
    {"binlane_ledger_bytes", kGauge, "Length of the ledger.", "/ledger/bytes"},
    {"binlane_ledger_open_intervals", kGauge, "Intervals that no quorum covers yet.",
     "/ledger/open"},
    {"binlane_ledger_unacknowledged_intervals", kGauge,
     "Intervals that no person has acknowledged (binlane ledger ack).", "/ledger/unacknowledged"},
    {"binlane_exposed_transactions_total", kCounter,
     "Transactions released without a quorum, in closed intervals.", "/ledger/exposed_groups"},
    {"binlane_transitions_total", kCounter, "Changes of the state.", "/counters/transitions"},
    {"binlane_degrades_total", kCounter, "Times Binlane switched semi-sync off.",
     "/counters/degrades"},
    {"binlane_recoveries_total", kCounter, "Times semi-sync came back.", "/counters/recoveries"},
    {"binlane_holds_total", kCounter, "Times commits waited beyond the timeout in mode block.",
     "/counters/holds"},
    {"binlane_foreign_ackers_total", kCounter,
     "Times a client other than Binlane began to acknowledge commits.", "/counters/other_ackers"},
    {"binlane_server_releases_total", kCounter,
     "Releases by the server itself: its timeout, a KILL, a restart, an operator.",
     "/counters/server_releases"},
    {"binlane_server_restarts_total", kCounter, "Restarts of the server.",
     "/counters/server_restarts"},
    {"binlane_source_unknown_peers_total", kCounter,
     "Datagrams to the source's ports from addresses that belong to no replica, dropped unread.",
     "/counters/unknown_peers"},
    {"binlane_binlog_bytes_total", kCounter, "Binlog bytes read as the server wrote them.",
     "/binlog/bytes"},
    {"binlane_binlog_unproven_files_total", kCounter,
     "Binlog files that were followed without proof that they continue the one before.",
     "/binlog/unproven_files"},
    {"binlane_binlog_heads_awaited_total", kCounter,
     "Looks at the next binlog file that found it made but without its head yet.",
     "/binlog/heads_awaited"},
    {"binlane_binlog_read_failures_total", kCounter,
     "Reads of older binlog bytes that failed or found the file purged.", "/binlog/read_failures"},
    {"binlane_source_hellos_lost_total", kCounter,
     "Replicas' answers that did not reach the control thread.", "/counters/hellos_lost"},
    {"binlane_incarnations_total", kCounter,
     "Incarnations of the source that began since binlaned started.", "/counters/incarnations"},
    {"binlane_server_polls_total", kCounter, "Looks at the server's status.", "/counters/polls"},
    {"binlane_server_polls_failed_total", kCounter, "Looks that failed.", "/counters/polls_failed"},
    {"binlane_server_settings_mended_total", kCounter,
     "Times a setting of the server that somebody had changed was set back.",
     "/counters/settings_mended"},
};

inline constexpr Row kPeerRows[] = {
    {"binlane_replica_connected", kGauge, "1 while the replica is in session.", "/connected"},
    {"binlane_replica_slow", kGauge,
     "1 while the replica keeps commits waiting that other replicas have.", "/slow"},
    {"binlane_replica_damaged", kGauge, "1 while the replica's journal has unrepaired damage.",
     "/damaged"},
    {"binlane_replica_learner", kGauge,
     "1 while the replica counts in no proof of a promotion yet.", "/learner"},
    {"binlane_replica_received_lag_bytes", kGauge,
     "Binlog bytes that the replica has not received.", "/received_lag_bytes"},
    {"binlane_replica_durable_lag_bytes", kGauge,
     "Binlog bytes that the replica does not have on stable storage.", "/durable_lag_bytes"},
    {"binlane_replica_round_trip_seconds", kGauge, "Smoothed network round trip.", "/rtt_us",
     kMicrosecond},
    {"binlane_replica_sessions_total", kCounter, "Sessions begun.", "/sessions"},
    {"binlane_replica_frames_total", kCounter, "Frames sent in this session.", "/counters/frames"},
    {"binlane_replica_sent_bytes_total", kCounter, "Binlog bytes sent in this session.",
     "/counters/bytes"},
    {"binlane_replica_retransmits_total", kCounter, "Frames sent again.", "/counters/retransmits"},
    {"binlane_replica_acks_total", kCounter, "Acknowledgements received.", "/counters/acks"},
};

// While the host is a replica. A source's own replica section has no source.
inline constexpr Row kFollowingRows[] = {
    {"binlane_source_connected", kGauge, "1 while this replica is in session with its source.",
     "/connected"},
    {"binlane_source_last_heard_seconds", kGauge,
     "Time since the source of the session was last heard.", "/last_heard_ms", kMillisecond},
};

inline constexpr Row kReplicaRows[] = {
    {"binlane_replica_unknown_peers_total", kCounter,
     "Datagrams to the replica's port from addresses that may not be a source, dropped unread.",
     "/counters/unknown_peers"},
    {"binlane_replica_hellos_lost_total", kCounter,
     "Sources' HELLOs that did not reach the control thread.", "/counters/hellos_lost"},
    {"binlane_hellos_not_bound_total", kCounter,
     "HELLOs that had to be repeated, because they named no answer of this process.",
     "/counters/hellos_not_bound"},
    {"binlane_promises_put_off_total", kCounter,
     "Promises that were asked for sooner than the limit of one a second allows.",
     "/counters/promises_put_off"},
    {"binlane_journal_blocks", kGauge, "Blocks of the journal's ring.", "/journal/blocks"},
    {"binlane_journal_free_blocks", kGauge, "Blocks that are free.", "/journal/free_blocks"},
    {"binlane_journal_writes_total", kCounter, "Durable writes.", "/journal/writes"},
    {"binlane_archive_syncs_total", kCounter, "Syncs of the archive.", "/archive/syncs"},
    {"binlane_archive_disk_full_total", kCounter, "Times the archive's disk was full.",
     "/archive/disk_full_count"},
    {"binlane_archive_files", kGauge, "Archived binlog files.", "/archive/retention/files"},
    {"binlane_archive_bytes", kGauge, "Bytes of the archived binlog files.",
     "/archive/retention/bytes"},
    {"binlane_archive_free_bytes", kGauge, "Free space on the archive's file system.",
     "/archive/retention/free_bytes"},
    {"binlane_archive_days_left", kGauge,
     "Days until the archive's file system is full at the present growth, if nothing is deleted.",
     "/archive/retention/days_left"},
    {"binlane_archive_deleted_files_total", kCounter, "Archived files deleted.",
     "/archive/retention/removed_files"},
    {"binlane_archive_delete_failures_total", kCounter, "Archived files that could not be deleted.",
     "/archive/retention/failures"},
    {"binlane_feed_events_total", kCounter, "Events fed to the local server.", "/feed/events"},
    {"binlane_feed_sent_bytes_total", kCounter, "Bytes fed to the local server.", "/feed/bytes"},
};

inline constexpr Row kDaemonRows[] = {
    {"binlane_data_dir_free_bytes", kGauge, "Free space on the file system of data_dir.",
     "/data_dir/free_bytes"},
    {"binlane_audit_bytes", kGauge, "Length of the audit log.", "/data_dir/audit_bytes"},
};

// One for each queue between two threads.
inline constexpr Row kQueueRows[] = {
    {"binlane_queue_full_total", kCounter, "Times that this queue between two threads was full.",
     "/times_full"},
};

inline constexpr Row kPortRows[] = {
    {"binlane_port_attached", kGauge, "1 while the port has its device.", "/attached"},
    {"binlane_port_received_packets_total", kCounter, "Packets received.", "/rx_packets"},
    {"binlane_port_sent_packets_total", kCounter, "Packets sent.", "/tx_packets"},
    {"binlane_port_dropped_packets_total", kCounter, "Packets the device did not take.",
     "/tx_dropped"},
    {"binlane_port_link_downs_total", kCounter, "Times the port's link went down.", "/link_downs"},
    {"binlane_port_quiesce_timeouts_total", kCounter,
     "Times the lane did not leave the device in time when its link went down.",
     "/quiesce_timeouts"},
};

}  // namespace binlane::metric_rows
