// Canaries: planted bugs that prove that the tests can fail.
//
// Each stands at the place in production code where the mistake would be made, as a condition of
// its own. In a normal build canary() is the constant false: no code, no branch. In a build with
// -Dcanaries=true the environment variable BINLANE_CANARY plants one of them at run time, so that
// one build serves all; `./dev canary` shows that the tests find each.
#pragma once

#include <cstdint>

// name, the rule or invariant that it breaks, what is wrong
#define BINLANE_CANARY_LIST(X)                                                                     \
  X(ack_before_completion, "I2",                                                                   \
    "durable means appended: the ACK leaves before the write is done")                             \
  X(short_write_ignored, "I2", "a write that stored less than it should counts as done")           \
  X(ack_after_eio, "I2", "a write that failed counts as done")                                     \
  X(durable_hole, "I5", "a later write that completes first carries the durable mark over a hole") \
  X(received_jumps_gap, "I5", "what waits behind a gap counts as received")                        \
  X(file_end_before_durable, "S6", "a file's end counts before it is on stable storage")           \
  X(started_before_record, "S11", "a session starts before the cut or epoch record is durable")    \
  X(unarchived_block_reused, "I6", "a slot is free as soon as it is durable, archived or not")     \
  X(truncate_at_first_bad_crc, "I1", "recovery takes every broken block for a torn write")         \
  X(damage_forgotten, "S4", "recovery cuts damage off and does not say so")                        \
  X(old_lap_accepted, "I5", "recovery takes a block whatever its sequence number is")              \
  X(unlinked_block_accepted, "I5", "recovery does not check the link to the block before")         \
  X(stale_opening_accepted, "I5", "recovery takes what an earlier opening left behind")            \
  X(archive_beyond_released, "I8", "what is durable goes to the archive before it is released")    \
  X(half_group_fed, "I7", "the feed may serve an event group that is not whole")                   \
  X(in_use_flag_not_mirrored, "I8", "the flag that a server clears at a file's end stays set")     \
  X(stale_epoch_data_accepted, "I3", "a replica takes frames of an older epoch")                   \
  X(stale_epoch_ack_accepted, "I3", "a source takes ACKs of an older epoch")                       \
  X(stale_session_data_accepted, "I3", "a replica takes frames of a session that is over")         \
  X(stale_session_ack_accepted, "I3", "a source takes ACKs of a session that is over")             \
  X(older_source_served, "I3", "a replica shakes hands with a source of an older epoch")           \
  X(late_start_accepted, "I2",                                                                     \
    "a START of another time begins a session with what the journal was then")                     \
  X(frame_checksum_ignored, "I2", "a damaged datagram is taken as it is")                          \
  X(wrong_retransmit_offset, "I8", "a retransmission is read from the byte before")                \
  X(ack_repeats_forgotten, "-", "a replica does not repeat an ACK that was lost")                  \
  X(promise_given_twice, "S1", "a replica promises one term to two candidates")                    \
  X(fence_unproven, "S19",                                                                         \
    "a replica promises itself to a candidate that has not shown that it hears the answers")       \
  X(live_source_promoted_away, "-",                                                                \
    "a promotion fences a source that lives though nobody asked for that")                         \
  X(seal_unproven, "S19", "a replica believes where its stream was sealed, whoever says so")       \
  X(promise_forgotten, "S1", "a journal that begins anew has promised nothing")                    \
  X(incarnation_not_raised, "S1", "a source that was restarted goes on in its old epoch")          \
  X(promoted_without_fence, "S14", "a promotion needs no set that intersects every quorum")        \
  X(damaged_counted_as_inspected, "S4", "a log that lost acknowledged bytes proves something")     \
  X(lesser_log_promoted, "S1", "a candidate wins against a log that holds more")                   \
  X(fetched_before_fenced, "S1",                                                                   \
    "a candidate fetches what a peer holds while others may still hold another log")               \
  X(fetch_by_length, "S1", "a log that is as long as the lender's counts as fetched")              \
  X(sealed_within_group, "S2", "a stream is sealed where its log ends, within an event group")     \
  X(deposed_unnoticed, "S12", "a source does not hear that a replica is promised to a later term") \
  X(replica_counted_twice, "S4", "one journal under two names counts as two replicas")             \
  X(old_rule_dropped, "S4", "a rule that is changed while it runs holds no more from then on")     \
  X(new_rule_uncovered, "S4",                                                                      \
    "a new rule stands alone before those that have it on record hold what was acknowledged")      \
  X(applied_unasked, "S9", "what is durable on a replica counts as executed by its server")        \
  X(unexecuted_file_deleted, "I7",                                                                 \
    "an archived file is deleted that the local server has not executed")                          \
  X(needed_file_deleted, "I1", "an archived file is deleted that a connected replica lacks")       \
  X(strangers_heard, "S19", "a lane reads datagrams of addresses that are no peer's")              \
  X(foreign_ack_taken, "S19", "an ACK counts from whichever address it comes")                     \
  X(failed_journal_counted, "I2", "a replica whose journal's device failed still counts")          \
  X(released_beyond_synced, "S7", "the quorum alone decides what is released")                     \
  X(released_at_rule_level, "S9",                                                                  \
    "what a rule of level received is satisfied with is released to the replicas' servers")        \
  X(replica_trusts_released, "S9", "a replica releases what its source has not synced")            \
  X(released_goes_back, "-", "a recovery takes back what was released while degraded")             \
  X(digest_skipped, "S6", "the handshake takes the un-released logs for equal")                    \
  X(archive_digest_skipped, "S6", "the handshake does not compare what is archived")               \
  X(cut_below_safe, "I6", "the handshake cuts what was synced and held by a quorum")               \
  X(cut_below_acked, "I6", "a replica cuts what it had acknowledged and its source had synced")    \
  X(shorter_source_accepted, "S5", "a source that lost released bytes is served")                  \
  X(names_compared_as_strings, "S17", "binlog.1000000 sorts before binlog.999999")                 \
  X(shrunken_file_ignored, "S6", "a binlog that became shorter is followed on")                    \
  X(reset_unnoticed, "S3", "after a restart any binlog with the right number is the stream")       \
  X(reset_passed_over, "S16", "binlogs that begin anew are taken for the same stream")             \
  X(foreign_file_followed, "S16", "the next file need not go on where the last one ended")         \
  X(scan_trusts_continuity, "S24",                                                                 \
    "at an incarnation's start a file need not go on where the one before it ended")               \
  X(scan_takes_damage_for_crash, "S24",                                                            \
    "at an incarnation's start what is amiss in a file is taken for what a crash left")            \
  X(tailer_follows_misplaced_events, "S24",                                                        \
    "an event that says that it ends elsewhere is followed, and groups that are cut off")          \
  X(checksum_not_verified, "S24",                                                                  \
    "half a last event of a group, filled up by what was written next, counts as whole")           \
  X(damage_counted_as_end, "S24", "groups behind a damaged place are counted as none")             \
  X(acked_within_group, "S24", "the server is told of places within a group that is not whole")    \
  X(ack_not_repeated, "S13", "no second ACK for the exact position that the server asks for")      \
  X(ack_of_other_incarnation, "S3", "an ACK goes out on another incarnation's connection")         \
  X(quorum_of_nothing, "I4",                                                                       \
    "an incarnation without a quorum yet shows the oldest file's beginning")                       \
  X(purge_moves_marks, "S3",                                                                       \
    "a quorum in a purged file is taken for the oldest file that is left")                         \
  X(registered_at_end, "S3", "registers at the end of the binlog, which acknowledges all of it")   \
  X(synced_without_fdatasync, "S7", "files that were never synced are announced as synced")        \
  X(half_group_synced, "S6", "half an event group is announced as synced, and may be cut off yet") \
  X(synced_untrusted, "S7", "a dump position counts although sync_binlog was not 1 meanwhile")     \
  X(wall_clock_deadlines, "I4", "time comes from the wall clock")                                  \
  X(late_deadline, "S13", "a wait that moves may last beyond the server's own timeout")            \
  X(ledger_after_release, "I4", "the server is let go before the ledger says so")                  \
  X(released_before_read_only, "S15",                                                              \
    "mode fail lets waiting commits go before the server takes no new ones")                       \
  X(backlog_not_exposed, "I4", "an interval is closed in front of what the lane has not read yet") \
  X(ledger_streams_mixed, "S8", "positions of one stream's exposures are compared with another's") \
  X(foreign_interval_covers, "I4",                                                                 \
    "an open interval of an older stream counts as the record of the new one's exposure")          \
  X(fencing_not_caught_up, "S8",                                                                   \
    "a host that could not record its fencing does not do so when it starts again")                \
  X(restart_taken_for_quiet, "S8",                                                                 \
    "a restarted server whose settings say OFF counts as one that let nobody go")                  \
  X(fence_needs_disk, "S18", "a source whose role cannot be stored is not fenced")                 \
  X(woken_source_goes_on, "S21",                                                                   \
    "a degraded source that stood still takes writes before a replica has answered it")            \
  X(unrecorded_forgotten, "S8",                                                                    \
    "what a failed ledger could not take is not recorded by a later daemon either")                \
  X(restart_accounted_early, "S8",                                                                 \
    "a server's restart counts as recorded although the daemon died before it was")                \
  X(acked_behind_reset, "S16",                                                                     \
    "an ACK goes out though the binlog was not looked at since a pause, or cannot be followed")    \
  X(renumbered_file_followed, "S16",                                                               \
    "behind a RESET a file is followed by its number and the look of its GTID state")              \
  X(told_forgotten_at_end, "S5",                                                                   \
    "an incarnation is held to what the one before had stored, not to all that it told")           \
  X(exposure_told_late, "S10",                                                                     \
    "a replica is told what was released before it has the exposure on record")                    \
  X(exposure_acked_before_durable, "S8",                                                           \
    "a replica says that an exposure is on record, and it is not")                                 \
  X(divergence_ignored, "S10", "a replica goes on feeding what a later term does not hold")        \
  X(diverged_verdict, "S10", "a diverged replica says that its transactions are durable")          \
  X(held_release_told, "S10", "a replica is told of what was released though it should hold it")   \
  X(full_ledger_final, "S8", "a ledger that found no room takes no line any more")                 \
  X(ledger_not_synced, "I4", "a line of the ledger is not made durable")                           \
  X(stale_acks_kept, "S16", "a server whose binlogs were reset goes on with the old ones' ACKs")   \
  X(fresh_only_once, "S16",                                                                        \
    "a daemon that died before it took a new stream's old ACKs back does not do so later")         \
  X(fresh_without_record, "S16",                                                                   \
    "a server that may hold ACKs of other binlogs is shown as waiting for a quorum")               \
  X(promise_unrecorded, "S16",                                                                     \
    "semi-sync is switched on in a new stream before that is on record")                           \
  X(operators_off_repeated, "-", "an operator's OFF is repeated, and undoes the ON behind it")     \
  X(server_release_unnoticed, "S8", "commits that the server lets go by itself go unnoticed")      \
  X(other_acker_ignored, "S23", "a second semi-sync client of the server goes unnoticed")          \
  X(closed_under_other_acker, "S23",                                                               \
    "an interval ends at a place from before another acker had gone")                              \
  X(other_acks_kept, "S23",                                                                        \
    "what a second semi-sync client acknowledged ahead stays in the server when it is gone")       \
  X(numbering_ignored, "S17",                                                                      \
    "a server whose binlogs pass number 999999 goes on being called semi-sync")                    \
  X(killed_waiter_unnoticed, "S8",                                                                 \
    "commits that complete while the quorum stands still are passed over")                         \
  X(incident_skipped_with_group, "S25",                                                            \
    "an event outside groups is skipped with the group before it that a replica has")              \
  X(gap_between_files_fed, "S24",                                                                  \
    "a feed goes on with a file that does not begin where the one before it ends")                 \
  X(server_not_read_back, "S22", "a setting that somebody has changed at the server stays so")     \
  X(fault_called_warning, "S22", "status --check is content with whatever is amiss")               \
  X(silent_thread_fed, "-", "the watchdog is fed while an ordinary thread hangs")                  \
  X(recovery_without_catching_up, "-", "semi-sync comes back while the replicas are far behind")

namespace binlane {

enum class Canary : std::uint8_t {
  none,
#define BINLANE_CANARY_NAME(name, rule, text) name,
  BINLANE_CANARY_LIST(BINLANE_CANARY_NAME)
#undef BINLANE_CANARY_NAME
};

#ifdef BINLANE_CANARIES

// The one that the environment planted, or none. Set before main() and never again.
extern const Canary planted_canary;

// Never a constant for a planted bug, and yet allowed in a function that is constexpr otherwise.
constexpr bool canary(Canary bug) noexcept {
  return bug != Canary::none && planted_canary == bug;
}

#else

constexpr bool canary(Canary /*bug*/) noexcept {
  return false;
}
static_assert(!canary(Canary::ack_before_completion), "no bug is ever planted in this build");

#endif

}  // namespace binlane
