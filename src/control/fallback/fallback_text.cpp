#include "control/fallback/fallback_text.h"

#include <fmt/format.h>

namespace binlane {
namespace {

std::string file_name(const std::string& basename, const Position& position) {
  return binlog_file_name(basename, position.file);
}

}  // namespace

const char* to_string(FallbackState state) noexcept {
  switch (state) {
    case FallbackState::starting:
      return "STARTING";
    case FallbackState::async:
      return "ASYNC";
    case FallbackState::catching_up:
      return "CATCHING_UP";
    case FallbackState::semisync:
      return "SEMISYNC";
    case FallbackState::fenced:
      return "FENCED";
    case FallbackState::standby:
      return "STANDBY";
    case FallbackState::refused:
      return "REFUSED";
    case FallbackState::foreign_acker:
      return "FOREIGN_ACKER";
  }
  return "?";
}

const char* to_string(FallbackReason reason) noexcept {
  switch (reason) {
    case FallbackReason::started:
      return "binlaned has started";
    case FallbackReason::off_at_start:
      return "semi-sync was off at the server when binlaned started";
    case FallbackReason::timeout:
      return "no quorum within the timeout";
    case FallbackReason::link_lost:
      return "the dump connection to the server was lost";
    case FallbackReason::unrecorded:
      return "what the server released earlier could not be recorded at that time";
    case FallbackReason::server_stopped:
      return "the server stopped waiting by itself";
    case FallbackReason::operator_off:
      return "semi-sync was switched off at the server by somebody else";
    case FallbackReason::asked_off:
      return "an operator asked for it (binlane degrade)";
    case FallbackReason::server_restarted:
      return "the server restarted";
    case FallbackReason::server_released:
      return "the server released commits without an acknowledgement";
    case FallbackReason::quorum_ready:
      return "enough replicas are connected";
    case FallbackReason::quorum_lost:
      return "too few replicas are connected, or the server cannot be reached";
    case FallbackReason::caught_up:
      return "a quorum of replicas has caught up";
    case FallbackReason::server_on:
      return "semi-sync is on at the server";
    case FallbackReason::stream_new:
      return "the stream is new, and the server may hold ACKs of another one";
    case FallbackReason::other_acker:
      return "a semi-sync client other than Binlane acknowledges commits; switch its semi-sync "
             "OFF: binlane doctor prints the statements that find it and switch it off";
    case FallbackReason::other_gone:
      return "Binlane is the server's only semi-sync client again";
    case FallbackReason::numbering_over:
      return "from binlog number 1000000 on this server waits for no replica; renumber its binlogs "
             "(see OPERATIONS, Binlog numbers)";
    case FallbackReason::turn_on_failed:
      return "semi-sync could not be switched on at the server";
  }
  return "?";
}

std::string transition_text(const FallbackTransition& transition, const std::string& basename) {
  return fmt::format("{} -> {}: {} (quorum at {}:{}, state had lasted {} ms)",
                     to_string(transition.from), to_string(transition.to),
                     to_string(transition.reason), file_name(basename, transition.quorum),
                     transition.quorum.offset, transition.lasted_ns / kNanosPerMilli);
}

std::vector<std::string> classic_lines(const FallbackTransition& transition,
                                       const std::string& basename) {
  std::vector<std::string> lines;
  if (transition.to == FallbackState::semisync) {
    lines.push_back(fmt::format("Semi-sync replication switched ON at ({}, {})",
                                file_name(basename, transition.quorum), transition.quorum.offset));
    return lines;
  }
  const bool was_on = transition.reason == FallbackReason::timeout ||
                      transition.reason == FallbackReason::link_lost ||
                      transition.reason == FallbackReason::server_stopped ||
                      transition.reason == FallbackReason::operator_off ||
                      transition.reason == FallbackReason::asked_off ||
                      transition.reason == FallbackReason::other_acker ||
                      transition.reason == FallbackReason::numbering_over;
  if (transition.to != FallbackState::async || !was_on) return lines;
  if (transition.reason == FallbackReason::timeout)
    lines.push_back(
        fmt::format("Timeout waiting for reply of binlog (file: {}, pos: {}), semi-sync up to file "
                    "{}, position {}.",
                    file_name(basename, transition.waiting), transition.waiting.offset,
                    file_name(basename, transition.quorum), transition.quorum.offset));
  lines.push_back("Semi-sync replication switched OFF.");
  return lines;
}

}  // namespace binlane
