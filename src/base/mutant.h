// Mutants: planted bugs that prove that the tests can fail.
//
// Each is an expression where the mistake would be made, BL_MUTANT(name, wrong, right): a reader
// who looks for what the program does reads the last argument. In a normal build that is all there
// is: no code, no branch. In a build with -Dmutants=true the environment variable BINLANE_MUTANT
// plants one of them at run time, so that one build serves all; `./dev mutants` shows that the
// tests find each. tests/style/house_rules_test.py checks the form.
#pragma once

#include <cstdint>

// name, the rule or invariant that it breaks, what is wrong
#define BINLANE_MUTANT_LIST(X)                                                                     \
  X(ack_before_completion, "I2",                                                                   \
    "a replica calls bytes durable once they are appended: the ACK leaves before the write ends")  \
  X(short_write_ignored, "I2", "a write that stored less than it should counts as complete")       \
  X(ack_after_eio, "I2", "a write that failed counts as complete")                                 \
  X(durable_hole, "I5", "a later write that completes first moves the durable mark over a hole")   \
  X(received_jumps_gap, "I5", "bytes after a gap count as received")                               \
  X(file_end_before_durable, "S6", "the end of a file counts before it is on stable storage")      \
  X(started_before_record, "S11", "a session starts before its cut or epoch record is durable")    \
  X(unarchived_block_reused, "I6", "a block is reused once it is durable, archived or not")        \
  X(truncate_at_first_bad_crc, "I1", "recovery takes every broken block for a torn write")         \
  X(damage_forgotten, "S4", "recovery cuts damage off and does not report it")                     \
  X(old_lap_accepted, "I5", "recovery accepts a block of any sequence number")                     \
  X(unlinked_block_accepted, "I5", "recovery does not check the link to the previous block")       \
  X(stale_opening_accepted, "I5", "recovery accepts blocks of an earlier opening of the journal")  \
  X(archive_beyond_released, "I8", "durable bytes go to the archive before they are released")     \
  X(half_group_fed, "I7", "the feed may serve an event group that is not whole")                   \
  X(in_use_flag_not_mirrored, "I8", "the in-use flag, cleared at the end of a file, remains set")  \
  X(stale_epoch_data_accepted, "I3", "a replica accepts frames of an older epoch")                 \
  X(stale_epoch_ack_accepted, "I3", "a source accepts ACKs of an older epoch")                     \
  X(stale_session_data_accepted, "I3", "a replica accepts frames of a session that is over")       \
  X(stale_session_ack_accepted, "I3", "a source accepts ACKs of a session that is over")           \
  X(older_source_served, "I3", "a replica agrees to a handshake with a source of an older epoch")  \
  X(late_start_accepted, "I2",                                                                     \
    "a delayed START begins a session by what the journal held when it was sent")                  \
  X(frame_checksum_ignored, "I2", "a damaged datagram is accepted")                                \
  X(wrong_retransmit_offset, "I8", "a retransmission is read from one byte too early")             \
  X(ack_repeats_forgotten, "-", "a replica does not repeat an ACK that was lost")                  \
  X(promise_given_twice, "S1", "a replica promises one term to two candidates")                    \
  X(fence_unproven, "S19",                                                                         \
    "a replica promises a term to a candidate that may not hear its answers")                      \
  X(live_source_promoted_away, "-",                                                                \
    "a promotion fences a source that is alive, though nobody asked for that")                     \
  X(seal_unproven, "S19", "a replica believes any sender about where its stream was sealed")       \
  X(promise_forgotten, "S1", "a journal that begins anew has no promise")                          \
  X(incarnation_not_raised, "S1", "a source that was restarted continues in its old epoch")        \
  X(promoted_without_fence, "S14", "a promotion needs no set that intersects every quorum")        \
  X(damaged_counted_as_inspected, "S4", "a log that lost acknowledged bytes counts in a proof")    \
  X(lesser_log_promoted, "S1", "a candidate wins against a log that holds more")                   \
  X(fetched_before_fenced, "S1",                                                                   \
    "a candidate fetches a peer's log while others may still hold another one")                    \
  X(fetch_by_length, "S1", "a log that is as long as the donor's counts as fetched")               \
  X(sealed_within_group, "S2", "a stream is sealed at the end of a log, within an event group")    \
  X(deposed_unnoticed, "S12", "a source does not notice that a replica has promised a later term") \
  X(replica_counted_twice, "S4", "one journal under two names counts as two replicas")             \
  X(old_rule_dropped, "S4", "once a change of the rule begins, the old rule ends")                 \
  X(new_rule_uncovered, "S4",                                                                      \
    "a new rule holds alone before it covers everything that was acknowledged")                    \
  X(applied_unasked, "S9", "durable bytes of a replica count as executed by its server")           \
  X(unexecuted_file_deleted, "I7",                                                                 \
    "an archived file is deleted that the local server has not executed")                          \
  X(needed_file_deleted, "I1", "an archived file is deleted that a connected replica lacks")       \
  X(strangers_heard, "S19", "a lane reads datagrams from addresses that belong to no peer")        \
  X(foreign_ack_taken, "S19", "an ACK counts from any address")                                    \
  X(failed_journal_counted, "I2", "a replica whose journal has failed still counts in quorums")    \
  X(released_beyond_synced, "S7", "the quorum alone decides what is released")                     \
  X(released_at_rule_level, "S9",                                                                  \
    "bytes that only satisfy a rule of level received are released to the replicas' servers")      \
  X(replica_trusts_released, "S9", "a replica releases bytes that its source has not synced")      \
  X(released_goes_back, "-", "a recovery takes back what was released while degraded")             \
  X(digest_skipped, "S6", "the handshake does not compare the un-released logs")                   \
  X(archive_digest_skipped, "S6", "the handshake does not compare the end of the archive")         \
  X(cut_below_safe, "I6", "the handshake cuts bytes that were synced and held by a quorum")        \
  X(cut_below_acked, "I6", "a replica cuts bytes that it had acknowledged and its source synced")  \
  X(shorter_source_accepted, "S5", "a source that lost released bytes is served")                  \
  X(names_compared_as_strings, "S17", "binlog.1000000 sorts before binlog.999999")                 \
  X(shrunken_file_ignored, "S6", "a source continues with a binlog that became shorter")           \
  X(reset_unnoticed, "S3", "after a restart any binlog with the right number is the stream")       \
  X(reset_passed_over, "S16", "binlogs that begin anew count as the same stream")                  \
  X(half_made_file_followed, "S6",                                                                 \
    "the next file is followed before the server has given it a head")                             \
  X(foreign_file_followed, "S16", "the next file need not continue where the last one ended")      \
  X(scan_trusts_continuity, "S24",                                                                 \
    "at the start of an incarnation a file need not continue where the previous one ended")        \
  X(scan_takes_damage_for_crash, "S24",                                                            \
    "at the start of an incarnation any damage in a file is taken for the trace of a crash")       \
  X(tailer_follows_misplaced_events, "S24",                                                        \
    "the tailer accepts a wrong end position in an event, and groups that are cut off")            \
  X(checksum_not_verified, "S24",                                                                  \
    "half a last event of a group counts as whole once later bytes fill it up")                    \
  X(damage_counted_as_end, "S24", "groups after a damaged place are counted as none")              \
  X(acked_within_group, "S24", "the server is told of positions within a group that is not whole") \
  X(ack_not_repeated, "S13", "no second ACK for the exact position that the server asks for")      \
  X(ack_of_other_incarnation, "S3", "an ACK goes out on the connection of another incarnation")    \
  X(quorum_of_nothing, "I4",                                                                       \
    "an incarnation without a quorum shows the beginning of the oldest file as its mark")          \
  X(purge_moves_marks, "S3",                                                                       \
    "a quorum mark in a purged file is moved to the oldest file that is left")                     \
  X(registered_at_end, "S3", "registers at the end of the binlog, which acknowledges all of it")   \
  X(synced_without_fdatasync, "S7", "files that were never synced are announced as synced")        \
  X(half_group_synced, "S6", "half an event group, which may be cut off, is announced as synced")  \
  X(synced_untrusted, "S7", "a dump position counts although sync_binlog was not 1 meanwhile")     \
  X(wall_clock_deadlines, "I4", "time comes from the wall clock")                                  \
  X(late_deadline, "S13", "a wait that makes progress may last beyond the server's own timeout")   \
  X(ledger_after_release, "I4", "the server releases commits before they are in the ledger")       \
  X(released_before_read_only, "S15",                                                              \
    "mode fail releases waiting commits before the server refuses new ones")                       \
  X(backlog_not_exposed, "I4", "an interval is closed before what the lane has not read yet")      \
  X(ledger_streams_mixed, "S8", "positions of one stream's exposures are compared with another's") \
  X(foreign_interval_covers, "I4",                                                                 \
    "an open interval of an older stream counts as the record of the new stream's exposure")       \
  X(fencing_not_caught_up, "S8",                                                                   \
    "a host that could not record its fencing does not record it at its next start")               \
  X(restart_taken_for_quiet, "S8",                                                                 \
    "a restarted server with semi-sync OFF counts as one that released nothing")                   \
  X(fence_needs_disk, "S18", "a source whose role cannot be stored is not fenced")                 \
  X(woken_source_goes_on, "S21",                                                                   \
    "a degraded source that was suspended takes writes before a replica has answered it")          \
  X(unrecorded_forgotten, "S8",                                                                    \
    "what a failed ledger could not record is not recorded by a later daemon either")              \
  X(ended_releases_ignored, "S8",                                                                  \
    "what the server released by itself after an incarnation's end is not on the ledger")          \
  X(fence_forgets_unrecorded, "I4",                                                                \
    "a fence's entry begins at the quorum, although the ledger lacks something before it")         \
  X(lost_promise_unnoticed, "S1",                                                                  \
    "a candidate begins its stream though a later candidate has got its promise")                  \
  X(restart_accounted_early, "S8",                                                                 \
    "a server's restart counts as recorded although the daemon died before that")                  \
  X(acked_behind_reset, "S16",                                                                     \
    "an ACK goes out after a pause before the binlog is looked at, or if it cannot be followed")   \
  X(renumbered_file_followed, "S16",                                                               \
    "after a RESET a file is accepted for its number and a similar GTID state")                    \
  X(told_forgotten_at_end, "S5",                                                                   \
    "an incarnation is held only to what the previous one had stored, not to all it had told")     \
  X(exposure_told_late, "S10",                                                                     \
    "a replica is told of a release before it has the exposure on record")                         \
  X(exposure_acked_before_durable, "S8",                                                           \
    "a replica acknowledges an exposure that is not on record")                                    \
  X(divergence_ignored, "S10", "a replica continues to feed what a later term does not hold")      \
  X(diverged_verdict, "S10", "a diverged replica says that its transactions are durable")          \
  X(held_release_told, "S10", "a replica is told of a release that it should hold back")           \
  X(full_ledger_final, "S8", "a ledger that once found no room takes no entries any more")         \
  X(ledger_not_synced, "I4", "an entry of the ledger is not made durable")                         \
  X(stale_acks_kept, "S16", "a server whose binlogs were reset keeps the ACKs of the old ones")    \
  X(fresh_only_once, "S16",                                                                        \
    "if a daemon died before it took back a new stream's old ACKs, the next one does not do it")   \
  X(fresh_without_record, "S16",                                                                   \
    "a server that may hold ACKs of other binlogs is shown as waiting for a quorum")               \
  X(promise_unrecorded, "S16",                                                                     \
    "semi-sync is switched on in a new stream before that is on record")                           \
  X(operators_off_repeated, "-", "an operator's OFF is repeated, and undoes the ON after it")      \
  X(server_release_unnoticed, "S8", "commits that the server releases by itself go unnoticed")     \
  X(other_acker_ignored, "S23", "a second semi-sync client of the server goes unnoticed")          \
  X(closed_under_other_acker, "S23",                                                               \
    "an interval ends at a position from before another acker had left")                           \
  X(other_acks_kept, "S23",                                                                        \
    "what a second semi-sync client acknowledged ahead remains in the server when it has left")    \
  X(numbering_ignored, "S17",                                                                      \
    "a server whose binlogs pass number 999999 is still called semi-sync")                         \
  X(killed_waiter_unnoticed, "S8",                                                                 \
    "commits that complete while the quorum stands still go unnoticed")                            \
  X(incident_skipped_with_group, "S25",                                                            \
    "an event outside groups is skipped together with a group that the replica has")               \
  X(gap_between_files_fed, "S24",                                                                  \
    "the feed continues with a file that does not begin where the previous one ends")              \
  X(server_not_read_back, "S22", "a setting that somebody changed at the server remains so")       \
  X(fault_called_warning, "S22", "status --check is satisfied whatever is wrong")                  \
  X(silent_thread_fed, "-", "the watchdog is fed while an ordinary thread hangs")                  \
  X(recovery_without_catching_up, "-", "semi-sync comes back while the replicas lag far")          \
  X(fenced_session_goes_on, "S1",                                                                  \
    "a candidate promises its journal to itself, and the older source's session goes on")          \
  X(log_beyond_seal_kept, "S2", "a candidate's own log keeps what is beyond the seal")             \
  X(sealed_copy_whole, "S2", "the copy that peers are served from goes on beyond the seal")        \
  X(seal_uncovered, "S2", "a seal is released that the new rule does not cover")                   \
  X(execution_unproven, "S2",                                                                      \
    "the new stream begins though the server has not executed the old one up to its seal")         \
  X(resumed_behind_its_step, "S2",                                                                 \
    "a promotion that was interrupted goes on as if the server had executed the seal")             \
  X(own_writes_ignored, "S2",                                                                      \
    "a server becomes the source's that has written what no replica has")                          \
  X(rejoined_with_tail, "S12", "an old source rejoins with event groups that nobody else has")     \
  X(lent_to_strangers, "S1", "a host lends its log to whoever asks")                               \
  X(role_in_force_unstored, "S2", "a role is in force though its record was not stored")           \
  X(unfit_server_promoted, "S2",                                                                   \
    "a host is promoted whose server does not answer or cannot be a source's")                     \
  X(diverged_host_promoted, "S10", "a host that has diverged is promoted")                         \
  X(rejoined_uncompared, "S12",                                                                    \
    "an old source rejoins though its binlogs are not the sealed ones")                            \
  X(committed_tail_cut, "S12", "a tail is cut off that a server's start has committed")            \
  X(committed_waits_cut, "S12", "a tail is cut off whose commits waited AFTER_COMMIT")             \
  X(stream_switched_early, "S2",                                                                   \
    "a journal goes over to the next stream before the archive holds the sealed one")              \
  X(unseen_release_ignored, "S2",                                                                  \
    "a stream is sealed before what a replica that was not inspected may have released")

namespace binlane {

enum class Mutant : std::uint8_t {
  none,
#define BINLANE_MUTANT_NAME(name, rule, text) name,
  BINLANE_MUTANT_LIST(BINLANE_MUTANT_NAME)
#undef BINLANE_MUTANT_NAME
};

#ifdef BINLANE_MUTANTS

// The one that the environment planted, or none. Set before main() and never again.
extern const Mutant planted_mutant;

// Never a constant for a planted bug, and yet allowed in a function that is constexpr otherwise.
constexpr bool mutant(Mutant bug) noexcept {
  return bug != Mutant::none && planted_mutant == bug;
}

#else

constexpr bool mutant(Mutant /*bug*/) noexcept {
  return false;
}
static_assert(!mutant(Mutant::ack_before_completion), "no bug is ever planted in this build");

#endif

}  // namespace binlane

// The value of the last argument; of `wrong` in a build in which Mutant::name is planted. Only one
// of the two is evaluated. At most one in a statement.
#define BL_MUTANT(name, wrong, ...) \
  (::binlane::mutant(::binlane::Mutant::name) ? (wrong) : (__VA_ARGS__))
