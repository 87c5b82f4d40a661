#include "shim/feed/dump_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutant.h"

namespace binlane {

DumpSession::DumpSession(FeedClient& client, FeedCounters& counters, SourceRestarts& restarts,
                         ArchivePlace place, FeedLimit& limit, DumpRequest request)
    : client_(client),
      counters_(counters),
      restarts_(restarts),
      place_(std::move(place)),
      limit_(limit),
      request_(std::move(request)),
      gtids_(place_, limit, [&client] { return client.socket.ended(); }),
      reader_(place_, limit),
      rules_(make_dump_rules(request_, place_, limit)),
      begun_ns_(monotonic_ns()),
      limit_at_start_(limit.whole_groups()),
      sender_(client, counters, begun_ns_),
      checksums_(request_.checksums) {}

bool DumpSession::run() {
  ++counters_.dumps;
  client_.by_gtid = rules_->by_gtid();
  client_.set_position({});  // it has sent nothing of this stream yet
  client_.sealed = request_.sealed;
  client_.dumping = true;
  Position start;
  Flow flow = find_start(start);
  if (flow == Flow::go_on) {
    log::info("feed_dump", "replica {} at {} is fed from {} on", request_.dump.server_id,
              client_.address, to_string(start));
  }
  while (flow == Flow::go_on || flow == Flow::next_file) {
    if (flow == Flow::next_file) start = {start.file + 1, kBinlogMagicSize};
    flow = send_file(start);
    BL_ASSERT(flow != Flow::go_on);
    if (flow == Flow::next_file) flow = on_next_file();
  }
  if (flow == Flow::finished) {
    client_.socket.write(mysql::build_eof());
  } else if (flow == Flow::refused) {
    ++counters_.refused_dumps;
    counters_.set_last_error(error_.message);
    log::warning("feed_dump_refused", "replica {} at {}: {}", request_.dump.server_id,
                 client_.address, error_.message);
    client_.socket.write(mysql::build_error(error_));
  }
  if (flow == Flow::restarted) {
    ++counters_.restarts;
    log::info("feed_restart",
              "replica {} at {}: the source was started anew where {} begins; the connection ends "
              "there, as the source's own did, and the replica will connect again",
              request_.dump.server_id, client_.address, place_.file_name(number_ + 1));
    client_.socket.flush();
    flow = Flow::gone;
  }
  client_.dumping = false;
  client_.ahead = false;
  at_sealed_end_ = flow == Flow::sealed_end;
  return flow != Flow::gone && client_.socket.flush() == PacketSocket::Status::ok;
}

DumpSession::Flow DumpSession::find_start(Position& start) {
  if (auto error = rules_->check_client(gtids_)) return refuse(std::move(*error));
  if (!rules_->seeks_file()) return find_start_by_file(start);
  if (auto error = rules_->find_start(gtids_, start)) return refuse(std::move(*error));
  return Flow::go_on;
}

DumpSession::Flow DumpSession::find_start_by_file(Position& start) {
  const std::string& name = request_.dump.file;
  start.offset = request_.dump.position;
  start.file = name.empty() ? gtids_.oldest_file() : binlog_file_number(name);
  number_ = start.file;
  if (start.offset > kBinlogMagicSize) resumed_at_ = start;
  if (start.file == 0 || (!name.empty() && name != file_name())) {
    return refuse("Could not find first log file name in binary log index file");
  }
  if (start.offset < kBinlogMagicSize) {
    return refuse(std::string(request_.dialogue->before_first_event));
  }
  if (const Flow flow = wait_for_file(start.file); flow != Flow::go_on) return flow;
  if (!reader_.open(start.file)) {
    return refuse(reader_.file_missing()
                      ? "Could not find first log file name in binary log index file"
                      : reader_.error());
  }
  return Flow::go_on;
}

DumpSession::Flow DumpSession::wait_for_file(std::uint32_t number) {
  for (;;) {
    const Position limit = limit_.whole_groups();
    if (limit > Position{number, kBinlogMagicSize}) break;
    if (!limit.is_null() && number > limit.file + kMaxFilesAhead)
      return refuse("Could not find first log file name in binary log index file");
    const Flow flow = check_ahead(true, file_name());
    if (flow != Flow::go_on) return flow;
    if (const Flow client = check_client(); client != Flow::go_on) return client;
    limit_.wait_beyond(limit, monotonic_ns() + kFeedWaitSliceNs);
  }
  return check_ahead(false, {});
}

DumpSession::Flow DumpSession::send_file(Position start) {
  number_ = start.file;
  const Flow named = flow_of(
      sender_.send_made(make_rotate(request_.source_id, file_name(), start.offset, checksums_)));
  if (named != Flow::go_on) return named;
  if (!reader_.open(number_)) {
    return refuse(reader_.file_missing() ? "could not find next log" : reader_.error());
  }
  const bool resumed = start.offset != kBinlogMagicSize;
  group_ = {};
  skipping_ = false;
  list_seen_ = false;
  left_out_to_ = 0;
  rules_->begin_file(number_, !resumed);
  bool described = false;
  for (;;) {
    // This also happens while nothing is sent for long, because the replica already has it.
    if (client_.socket.ended()) return Flow::gone;
    if (client_.superseded) return check_client();
    ArchivedEvent event;
    Flow flow = Flow::go_on;
    switch (reader_.next(event)) {
      case ArchiveReader::Step::event:
        if (described) {
          flow = on_event(event);
        } else {
          flow = on_format_description(event, resumed);
          described = true;
          if (resumed) reader_.seek(start.offset);
        }
        break;
      case ArchiveReader::Step::at_limit:
        flow = on_boundary(reader_.position().offset);
        if (flow == Flow::go_on) flow = tell_what_was_left_out();
        if (flow == Flow::go_on) flow = wait_for_more(reader_.position());
        break;
      case ArchiveReader::Step::file_end: {
        // The next file may not exist before something of it is released.
        const Position next{number_ + 1, kBinlogMagicSize};
        flow = on_boundary(reader_.position().offset);
        if (flow == Flow::go_on) flow = tell_what_was_left_out();
        if (flow != Flow::go_on) break;
        flow = limit_.whole_groups() > next ? Flow::next_file : wait_for_more(next);
        break;
      }
      case ArchiveReader::Step::failed:
        flow = refuse(fmt::format(
            "{}; the first event '{}' at {}, the last event read from '{}' at {}", reader_.error(),
            request_.dump.file, request_.dump.position, file_name(), reader_.position().offset));
        break;
    }
    if (flow != Flow::go_on) return flow;
  }
}

DumpSession::Flow DumpSession::on_format_description(const ArchivedEvent& event, bool resumed) {
  const auto format = event.whole() ? parse_format_description(event.front) : std::nullopt;
  if (!format) return refuse("Failed to find format descriptor event in start of binlog");
  if (format->checksums && !request_.checksum_aware) {
    return refuse(std::string(request_.dialogue->no_checksums));
  }
  checksums_ = format->checksums;
  server_started_ = format->created_s != 0;
  // A replica that continues where it was keeps its temporary tables, because this event is not new
  // for it.
  const bool not_new = resumed || rules_->file_is_known();
  const Event served =
      served_format_description(event.front, {.clear_end = resumed, .clear_created = not_new});
  return flow_of(sender_.send_made(served));
}

DumpSession::Flow DumpSession::on_event(const ArchivedEvent& event) {
  if (event.header.type == EventType::start_encryption) {
    return refuse("The archived binlog is encrypted, and cannot be served");
  }
  // A file's list comes before anything that is said about the file, as at a source.
  const bool is_first_list = rules_->is_list(event.header.type) && !list_seen_;
  list_seen_ = list_seen_ || is_first_list;
  if (!group_.is_open() && !is_first_list) {
    if (const Flow flow = on_boundary(event.offset); flow != Flow::go_on) return flow;
  }
  const auto step =
      group_.take(event.header.type, statement_kind(event.header, event.front, checksums_));
  // An event outside groups is not skipped with the group before it.
  if (BL_MUTANT(incident_skipped_with_group, false, step.outside)) skipping_ = false;
  auto verdict = rules_->on_event(event, checksums_, server_started_);
  if (verdict.error) return refuse(std::move(*verdict.error));
  if (!verdict.gap.empty()) return on_gap(verdict.gap);
  if (verdict.begins_group) skipping_ = !verdict.send;
  if (step.ended) rules_->on_group_end();
  const bool skipped = skipping_;
  if (BL_MUTANT(incident_skipped_with_group, false, step.ended)) skipping_ = false;
  if (skipped) return leave_out(event);
  sent_groups_ = sent_groups_ || !step.outside;
  if (event.header.type == EventType::annotate_rows &&
      (request_.dump.flags & mysql::kDumpAnnotateRows) == 0) {
    return Flow::go_on;
  }
  if (request_.skip_marked && (event.header.flags & kEventFlagSkipReplication) != 0) {
    return Flow::go_on;
  }
  if (const Flow flow = tell_what_was_left_out(); flow != Flow::go_on) return flow;
  return flow_of(sender_.send_archived(reader_, event, {number_, event.end()}));
}

DumpSession::Flow DumpSession::leave_out(const ArchivedEvent& event) {
  left_out_to_ = event.end();
  const bool waits = rules_->tells_what_was_left_out() && request_.heartbeat_ns != 0 &&
                     monotonic_ns() >= sender_.last_send_ns() + request_.heartbeat_ns;
  if (!waits) return Flow::go_on;
  const Flow flow = tell_what_was_left_out();
  return flow == Flow::go_on ? flow_of(client_.socket.flush()) : flow;
}

DumpSession::Flow DumpSession::tell_what_was_left_out() {
  const std::uint64_t offset = std::exchange(left_out_to_, 0);
  if (offset == 0 || !rules_->tells_what_was_left_out()) return Flow::go_on;
  return send_heartbeat(offset);
}

DumpSession::Flow DumpSession::send_heartbeat(std::uint64_t offset) {
  ++counters_.heartbeats;
  return flow_of(sender_.send_made(rules_->heartbeat(file_name(), offset, checksums_)));
}

DumpSession::Flow DumpSession::on_gap(const std::string& gap) {
  const std::string text = fmt::format(
      "the archived binlogs do not go on where {} begins: {}. What is missing there is "
      "on no replica, so the feed ends here; see OPERATIONS, \"A gap in the binlogs\"",
      file_name(), gap);
  counters_.set_gap(text);
  log::error("feed_gap", "{}", text);
  return refuse(text);
}

DumpSession::Flow DumpSession::on_next_file() {
  const std::uint32_t next = number_ + 1;
  rules_->before_next_file(gtids_, number_);
  if (!rules_->ends_at_restart()) return Flow::next_file;
  // A client that reads what there is, and ends, reads history.
  if ((request_.dump.flags & mysql::kDumpNonBlock) != 0) return Flow::next_file;
  const auto start = gtids_.file_start(next);
  if (!start) return refuse(gtids_.error());
  if (start->format.created_s == 0) return Flow::next_file;
  const bool live = Position{next, kBinlogMagicSize} >= limit_at_start_;
  if (live) return Flow::restarted;
  const bool is_replica = rules_->by_gtid() || request_.heartbeat_ns != 0;
  const bool ends = is_replica && sent_groups_ && restarts_.end_once(request_.dump.server_id, next);
  return ends ? Flow::restarted : Flow::next_file;
}

DumpSession::Flow DumpSession::on_boundary(std::uint64_t offset) {
  if (const auto note = rules_->take_note(offset, checksums_)) {
    if (const Flow flow = flow_of(sender_.send_made(*note)); flow != Flow::go_on) return flow;
  }
  const auto note = rules_->end_note(offset, checksums_);
  if (!note) return Flow::go_on;
  const Flow flow = flow_of(sender_.send_made(*note));
  return flow == Flow::go_on ? Flow::finished : flow;
}

DumpSession::Flow DumpSession::wait_for_more(Position here) {
  if (const Flow flow = flow_of(client_.socket.flush()); flow != Flow::go_on) return flow;
  for (;;) {
    const Position limit = limit_.whole_groups();
    if (limit > here) return Flow::go_on;
    if (request_.sealed) return Flow::sealed_end;
    if ((request_.dump.flags & mysql::kDumpNonBlock) != 0) return Flow::finished;
    if (const Flow flow = check_client(); flow != Flow::go_on) return flow;
    const auto ahead_of = rules_->ahead_of();
    const bool ahead = ahead_of || limit < resumed_at_;
    const Flow flow = check_ahead(ahead, ahead_of ? *ahead_of : to_string(resumed_at_));
    if (flow != Flow::go_on) return flow;
    const std::uint64_t now = monotonic_ns();
    const std::uint64_t heartbeat_due = sender_.last_send_ns() + request_.heartbeat_ns;
    if (request_.heartbeat_ns != 0 && now >= heartbeat_due) {
      const Flow sent = send_heartbeat(reader_.position().offset);
      if (sent != Flow::go_on) return sent;
      if (const Flow flushed = flow_of(client_.socket.flush()); flushed != Flow::go_on) {
        return flushed;
      }
      continue;
    }
    const std::uint64_t slice_end = now + kFeedWaitSliceNs;
    limit_.wait_beyond(here,
                       request_.heartbeat_ns == 0 ? slice_end : std::min(slice_end, heartbeat_due));
  }
}

DumpSession::Flow DumpSession::check_client() {
  if (client_.superseded) {
    return refuse(std::string(request_.dialogue->same_id));
  }
  // During a dump a replica sends nothing but "quit", and closing means the same.
  if (client_.socket.ended() || client_.socket.has_input()) return Flow::gone;
  return Flow::go_on;
}

DumpSession::Flow DumpSession::check_ahead(bool ahead, const std::string& what) {
  client_.ahead = ahead;
  if (!ahead) return Flow::go_on;
  const std::string text =
      fmt::format("The replica holds {}, and the archive ends before it, at {}: it may still come",
                  what, to_string(limit_.whole_groups()));
  if (!std::exchange(ahead_logged_, true)) {
    log::warning("feed_replica_ahead", "replica {} at {}: {}", request_.dump.server_id,
                 client_.address, text);
  }
  if (monotonic_ns() - begun_ns_ < kAheadGraceNs) return Flow::go_on;
  return refuse(rules_->still_ahead(text));
}

DumpSession::Flow DumpSession::refuse(mysql::ErrorPacket error) {
  error_ = std::move(error);
  return Flow::refused;
}

DumpSession::Flow DumpSession::refuse(std::string message) {
  return refuse(fatal_dump_error(std::move(message)));
}

DumpSession::Flow DumpSession::flow_of(PacketSocket::Status status) {
  if (status == PacketSocket::Status::ok) return Flow::go_on;
  if (status == PacketSocket::Status::timeout) {
    ++counters_.stalled_clients;
    log::warning("feed_client_stalled", "replica {} at {} took nothing for too long",
                 request_.dump.server_id, client_.address);
  }
  return Flow::gone;
}

}  // namespace binlane
