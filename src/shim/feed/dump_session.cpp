#include "shim/dump_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "base/canary.h"
#include "base/clock.h"
#include "base/log.h"

namespace binlane {
namespace {

// @mariadb_slave_capability of a replica that understands GTID events.
constexpr std::uint32_t kCapabilityGtid = 4;
// How often a waiting dump looks after its client. New bytes wake it at once.
constexpr std::uint64_t kWaitSliceNs = 100 * kNanosPerMilli;
constexpr std::size_t kPieceSize = 64 << 10;
// Stands before every event: "no error".
constexpr std::array<std::byte, 1> kEventPrefix{std::byte{0}};

}  // namespace

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
      begun_ns_(monotonic_ns()),
      limit_at_start_(limit.whole_groups()),
      last_send_ns_(begun_ns_),
      checksums_(request_.checksums),
      piece_(kPieceSize) {
  if (request_.gtid) filter_.emplace(*request_.gtid);
}

bool DumpSession::run() {
  ++counters_.dumps;
  client_.by_gtid = filter_.has_value();
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
              "there, as the source's own did, and the replica connects again",
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
  if (request_.capability < kCapabilityGtid) {
    return refuse("The feed needs a replica that knows MariaDB's GTID events (MariaDB 10.0.2 on)");
  }
  return filter_ ? find_start_by_gtid(start) : find_start_by_file(start);
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
    return refuse("Client requested master to start replication from impossible position");
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
    limit_.wait_beyond(limit, monotonic_ns() + kWaitSliceNs);
  }
  return check_ahead(false, {});
}

DumpSession::Flow DumpSession::find_start_by_gtid(Position& start) {
  const auto history = gtids_.history();
  if (!history) {
    return refuse({kTransientDumpError, "HY000",
                   fmt::format("The feed cannot tell its GTID state: {}", gtids_.error())});
  }
  if (auto error = filter_->check_start(*history)) return refuse(std::move(*error));
  const auto file = gtids_.find_start(filter_->start());
  if (!file) return refuse(gtids_.error());
  filter_->begin(file->gtid_list);
  start = {file->number, kBinlogMagicSize};
  return Flow::go_on;
}

DumpSession::Flow DumpSession::send_file(Position start) {
  number_ = start.file;
  const Flow named =
      send_made(make_rotate(request_.source_id, file_name(), start.offset, checksums_));
  if (named != Flow::go_on) return named;
  if (!reader_.open(number_)) {
    return refuse(reader_.file_missing() ? "could not find next log" : reader_.error());
  }
  const bool resumed = start.offset != kBinlogMagicSize;
  group_ = {};
  skipping_ = false;
  list_seen_ = false;
  bool described = false;
  for (;;) {
    // Also while nothing is sent for long, because the replica has it already.
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
        if (flow == Flow::go_on) flow = wait_for_more(reader_.position());
        break;
      case ArchiveReader::Step::file_end: {
        // The next file may not exist before something of it is released.
        const Position next{number_ + 1, kBinlogMagicSize};
        flow = on_boundary(reader_.position().offset);
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
    return refuse(
        "Slave can not handle replication events with the checksum that master is configured to "
        "log");
  }
  checksums_ = format->checksums;
  server_started_ = format->created_s != 0;
  // A replica that goes on where it was keeps its temporary tables: this event is not news to it.
  const bool not_new = resumed || (filter_ && !filter_->start_reached());
  const Event served =
      served_format_description(event.front, {.clear_end = resumed, .clear_created = not_new});
  return send_made(served);
}

DumpSession::Flow DumpSession::on_event(const ArchivedEvent& event) {
  if (event.header.type == EventType::start_encryption) {
    return refuse("The archived binlog is encrypted, and cannot be served");
  }
  // A file's list comes before anything that is said of it, as at a source.
  const bool is_first_list = event.header.type == EventType::gtid_list && !list_seen_;
  if (!group_.is_open() && !is_first_list) {
    if (const Flow flow = on_boundary(event.offset); flow != Flow::go_on) return flow;
  }
  const auto step =
      group_.take(event.header.type, statement_kind(event.header, event.front, checksums_));
  // What stands outside groups is not skipped with the group before it.
  if (step.outside && !canary(Canary::incident_skipped_with_group)) skipping_ = false;
  if (event.header.type == EventType::gtid) {
    const auto gtid = parse_gtid_event(event.front);
    if (!gtid) return refuse("Failed to read Gtid_log_event: corrupt binlog");
    crossing_.on_group(gtid->gtid);
    skipping_ = false;
    if (filter_) {
      auto verdict = filter_->on_group(*gtid);
      if (verdict.error) return refuse(std::move(*verdict.error));
      skipping_ = !verdict.send;
    }
  } else if (event.header.type == EventType::gtid_list) {
    if (const Flow flow = on_gtid_list(event); flow != Flow::go_on) return flow;
  }
  const bool skipped = skipping_;
  if (step.ended && !canary(Canary::incident_skipped_with_group)) skipping_ = false;
  if (skipped) return Flow::go_on;
  sent_groups_ = sent_groups_ || !step.outside;
  if (event.header.type == EventType::annotate_rows &&
      (request_.dump.flags & mysql::kDumpAnnotateRows) == 0) {
    return Flow::go_on;
  }
  if (request_.skip_marked && (event.header.flags & kEventFlagSkipReplication) != 0) {
    return Flow::go_on;
  }
  return send_archived(event);
}

DumpSession::Flow DumpSession::on_gtid_list(const ArchivedEvent& event) {
  if (std::exchange(list_seen_, true)) return Flow::go_on;
  const auto list =
      event.whole() ? parse_gtid_list(event.front, checksums_) : std::vector<GtidEntry>{};
  if (!list) return refuse("Failed to read Gtid_list_log_event: corrupt binlog");
  if (!event.whole()) {
    crossing_.forget();  // more than is ever compared
    return Flow::go_on;
  }
  const std::string gap = crossing_.on_gtid_list(*list, server_started_);
  if (gap.empty()) return Flow::go_on;
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
  if (!crossing_.knows_file()) {
    // It was not read from its beginning.
    const auto here = gtids_.file_start(number_);
    if (here && here->gtid_list) {
      if (const auto end = gtids_.history_of_file(number_))
        crossing_.take_file(*here->gtid_list, *end);
    }
  }
  // A client that reads what there is, and ends, reads history.
  if ((request_.dump.flags & mysql::kDumpNonBlock) != 0) return Flow::next_file;
  const auto start = gtids_.file_start(next);
  if (!start) return refuse(gtids_.error());
  if (start->format.created_s == 0) return Flow::next_file;
  const bool live = Position{next, kBinlogMagicSize} >= limit_at_start_;
  if (live) return Flow::restarted;
  const bool is_replica = filter_.has_value() || request_.heartbeat_ns != 0;
  const bool ends = is_replica && sent_groups_ && restarts_.end_once(request_.dump.server_id, next);
  return ends ? Flow::restarted : Flow::next_file;
}

DumpSession::Flow DumpSession::on_boundary(std::uint64_t offset) {
  if (!filter_) return Flow::go_on;
  if (filter_->take_start_note()) {
    const auto list = filter_->seen().list();
    const Flow flow = send_made(make_gtid_list(request_.source_id, list, 0, offset, checksums_));
    if (flow != Flow::go_on) return flow;
  }
  if (!filter_->finished()) return Flow::go_on;
  const auto list = filter_->seen().list();
  const Flow flow = send_made(
      make_gtid_list(request_.source_id, list, kGtidListUntilReached, offset, checksums_));
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
    const auto ahead_of = filter_ ? filter_->ahead_of() : std::nullopt;
    const bool ahead = ahead_of || limit < resumed_at_;
    const Flow flow = check_ahead(ahead, ahead_of ? to_string(*ahead_of) : to_string(resumed_at_));
    if (flow != Flow::go_on) return flow;
    const std::uint64_t now = monotonic_ns();
    const std::uint64_t heartbeat_due = last_send_ns_ + request_.heartbeat_ns;
    if (request_.heartbeat_ns != 0 && now >= heartbeat_due) {
      const Flow sent = send_made(
          make_heartbeat(request_.source_id, file_name(), reader_.position().offset, checksums_));
      if (sent != Flow::go_on) return sent;
      ++counters_.heartbeats;
      if (const Flow flushed = flow_of(client_.socket.flush()); flushed != Flow::go_on) {
        return flushed;
      }
      continue;
    }
    const std::uint64_t slice_end = now + kWaitSliceNs;
    limit_.wait_beyond(here,
                       request_.heartbeat_ns == 0 ? slice_end : std::min(slice_end, heartbeat_due));
  }
}

DumpSession::Flow DumpSession::check_client() {
  if (client_.superseded) {
    return refuse(
        "A slave with the same server_uuid/server_id as this slave has connected to the master");
  }
  // A replica says nothing during a dump but "quit", and closing says the same.
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
  return refuse({kTransientDumpError, "HY000", text});
}

DumpSession::Flow DumpSession::send_archived(const ArchivedEvent& event) {
  client_.socket.begin_packet(kEventPrefix.size() + event.header.length);
  client_.socket.append(kEventPrefix);
  PacketSocket::Status status = client_.socket.append(event.front);
  std::uint64_t at = event.offset + event.front.size();
  while (status == PacketSocket::Status::ok && at < event.end()) {
    const MutableBytes piece =
        MutableBytes(piece_).first(std::min<std::uint64_t>(piece_.size(), event.end() - at));
    if (!reader_.read(at, piece)) {
      // Half a packet is out: only closing tells the replica that the rest does not come.
      log::error("feed_archive", "{} at {}: {}", file_name(), at, reader_.error());
      counters_.set_last_error(reader_.error());
      return Flow::gone;
    }
    status = client_.socket.append(piece);
    at += piece.size();
  }
  if (status != PacketSocket::Status::ok) return flow_of(status);
  last_send_ns_ = monotonic_ns();
  ++client_.events;
  ++counters_.events;
  client_.bytes += event.header.length;
  counters_.bytes += event.header.length;
  client_.set_position({number_, event.end()});
  return Flow::go_on;
}

DumpSession::Flow DumpSession::send_made(const Event& event) {
  client_.socket.begin_packet(kEventPrefix.size() + event.size());
  client_.socket.append(kEventPrefix);
  last_send_ns_ = monotonic_ns();
  return flow_of(client_.socket.append(event));
}

DumpSession::Flow DumpSession::refuse(mysql::ErrorPacket error) {
  error_ = std::move(error);
  return Flow::refused;
}

DumpSession::Flow DumpSession::refuse(std::string message) {
  return refuse({kFatalDumpError, "HY000", std::move(message)});
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
