// Writes the seeds of the fuzz targets' corpora, made with the product's own encoders:
// `fuzz_seeds FOLDER` fills FOLDER/<target>/. Run it again when a format changes.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "control/exposure/ledger_line.h"
#include "control/stream/source_state.h"
#include "dataplane/session/hello.h"
#include "fuzz_frames.h"
#include "fuzz_target.h"
#include "shim/binlog/mysql_gtid_set.h"
#include "shim/feed/caching_sha2.h"
#include "shim/feed/feed_event.h"
#include "shim/feed/feed_query.h"
#include "shim/feed/mysql_frame.h"
#include "shim/feed/mysql_packet.h"
#include "storage/journal/journal_meta.h"

namespace {

using namespace binlane;
using fuzz::Output;
using Bytes = std::vector<std::byte>;

std::filesystem::path folder;

void write(const std::string& target, const std::string& name, ConstBytes bytes) {
  std::filesystem::create_directories(folder / target);
  std::ofstream file(folder / target / name, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file) {
    std::fprintf(stderr, "cannot write %s/%s\n", target.c_str(), name.c_str());
    std::exit(1);
  }
}
void write(const std::string& target, const std::string& name, std::string_view text) {
  write(target, name, fuzz::bytes_of(text));
}

Bytes binlog(const char* name) {
  std::ifstream file(std::filesystem::path(BINLANE_TEST_DATA) / name, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  const ConstBytes bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

template <class Body>
Bytes frame(const FrameTags& tags, const Body& body, ConstBytes payload = {}) {
  Bytes bytes(sizeof(wire::Header) + sizeof body);
  std::memcpy(bytes.data() + sizeof(wire::Header), static_cast<const void*>(&body), sizeof body);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  finish_frame(bytes, tags, static_cast<std::uint32_t>(sizeof body + payload.size()));
  return bytes;
}

Bytes data_frame(std::uint64_t packet, std::uint64_t offset, Position at, std::string_view text) {
  wire::DataBody body;
  body.stream_offset = offset;
  body.file_offset = at.offset;
  body.file_number = at.file;
  body.synced = offset + text.size();
  body.released = offset;
  return frame({wire::Type::data, wire::kFlagAckNow, 7, {1, 1}, packet}, body,
               fuzz::bytes_of(text));
}

Bytes ack_frame(std::uint64_t received, std::uint64_t durable, std::uint64_t largest) {
  wire::AckBody body;
  body.received = received;
  body.durable = durable;
  body.window_end = 1 << 20;
  body.largest_packet = largest;
  body.bitmap[0] = 0x0f;
  return frame({wire::Type::ack, 0, 7, {1, 1}, 1}, body);
}

void datagrams() {
  constexpr std::uint8_t kSealedOurs = 3;
  Output in_order;
  in_order.byte(kSealedOurs).chunk(data_frame(1, 0, {1, 4}, "first bytes"));
  in_order.byte(kSealedOurs | 4).chunk(data_frame(2, 11, {1, 15}, "and more"));
  wire::DataBody end;
  end.stream_offset = 19;
  end.file_offset = 23;
  end.file_number = 1;
  wire::FileEndPayload payload;
  payload.final_size = 23;
  payload.last_group_end = 23;
  in_order.byte(kSealedOurs | 4)
      .chunk(frame({wire::Type::data, wire::kFlagFileEnd, 7, {1, 1}, 3}, end,
                   fuzz::object_bytes(payload)));
  in_order.byte(kSealedOurs | 12).chunk(data_frame(4, 20, {2, 0}, "next file"));
  write("datagram", "in_order", in_order.get());
  Output reordered;
  reordered.byte(kSealedOurs).chunk(data_frame(3, 12, {1, 16}, "c"));
  reordered.byte(kSealedOurs).chunk(data_frame(2, 4, {1, 8}, "bbbbbbbb"));
  reordered.byte(kSealedOurs | 4).chunk(data_frame(1, 0, {1, 4}, "aaaa"));
  write("datagram", "reordered", reordered.get());
  Output acks;
  acks.byte(kSealedOurs | 16).chunk(ack_frame(1376, 0, 1));
  acks.byte(kSealedOurs | 16).chunk(ack_frame(3000, 1376, 3));
  acks.byte(kSealedOurs | 32).chunk(ack_frame(3000, 3000, 4));
  write("datagram", "acks", acks.get());
  Output raw;
  raw.byte(0).chunk(data_frame(1, 0, {1, 4}, "as it is"));
  raw.byte(0).chunk(frame({wire::Type::exposed_ack, 0, 7, {1, 1}, 1}, wire::ExposedAckBody{}));
  write("datagram", "raw", raw.get());
}

// A record of the target `admission`.
void admit(Output& out, std::uint8_t control, Epoch epoch, const wire::HelloBody& body) {
  out.byte(control).number(epoch.term).number(epoch.incarnation).chunk(fuzz::object_bytes(body));
}

void admissions() {
  // As in admission_fuzz.cpp: named, bound, of the stream held, seals, writes complete, later, a
  // list of exposures, the same handshake.
  constexpr std::uint8_t kNamed = 1, kBound = 2, kOurs = 4, kSeals = 8, kComplete = 16, kLater = 32,
                         kExposed = 64, kAgain = 128;
  wire::HelloBody ask;
  ask.phase = static_cast<std::uint8_t>(wire::Phase::ask);
  ask.handshake_id = 5;
  ask.origin[0] = 7;
  ask.stream_term = 2;
  ask.cut_to = wire::kNoCut;
  wire::HelloBody start = ask;
  start.phase = static_cast<std::uint8_t>(wire::Phase::start);
  set_field(start.rule, "ANY 1 (r1, r2)");
  wire::HelloBody cut = start;
  cut.cut_to = 100;
  Output starts;
  starts.byte(1);
  admit(starts, kNamed | kOurs | kComplete, {2, 3}, ask);
  admit(starts, kNamed | kBound | kOurs | kComplete | kAgain, {2, 3}, start);
  admit(starts, kNamed | kBound | kOurs, {2, 4}, ask);
  admit(starts, kNamed | kBound | kOurs | kComplete | kAgain, {2, 4}, ask);
  admit(starts, kNamed | kBound | kOurs | kComplete | kAgain, {2, 4}, cut);
  write("admission", "starts", starts.get());
  Output blank;
  blank.byte(0);
  start.start_at = {1, 0};
  admit(blank, kNamed, {2, 3}, ask);
  admit(blank, kNamed | kBound | kComplete | kAgain, {2, 3}, start);
  write("admission", "blank", blank.get());
  wire::HelloBody fence = ask;
  fence.flags = wire::kHelloFence;
  fence.candidate[0] = 8;
  wire::HelloBody look = fence;
  look.flags = wire::kHelloLook;
  Output fences;
  fences.byte(1 | 4);
  admit(fences, kNamed | kOurs, {3, 0}, look);
  admit(fences, kNamed | kOurs, {3, 0}, fence);
  admit(fences, kNamed | kBound | kOurs, {3, 0}, fence);
  admit(fences, kNamed | kBound | kOurs | kLater, {UINT32_MAX, 0}, fence);
  wire::HelloBody lend = fence;
  lend.phase = static_cast<std::uint8_t>(wire::Phase::lend);
  admit(fences, kNamed | kBound | kOurs, {3, 0}, lend);
  write("admission", "fences", fences.get());
  wire::HelloBody seal = ask;
  seal.stream_term = 3;
  seal.sealed_at = {3, 100};
  Output seals;
  seals.byte(1);
  admit(seals, kNamed | kSeals, {3, 1}, seal);
  admit(seals, kNamed | kBound | kSeals | kComplete, {3, 1}, seal);
  seal.stream_term = 0;
  admit(seals, kNamed | kBound | kSeals, {3, 1}, seal);
  write("admission", "seals", seals.get());
  wire::ExposedBody list;
  list.count = 2;
  list.total = 2;
  list.entries[0].id = 1;
  list.entries[0].from = {3, 100};
  list.entries[0].flags = wire::kExposedOpen;
  list.entries[1].id = 2;
  list.entries[1].from = {3, 50};
  list.entries[1].to = {3, 60};
  Output exposures;
  exposures.byte(1);
  admit(exposures, kNamed | kOurs, {2, 3}, ask);
  exposures.byte(kExposed)
      .number(std::uint32_t{2})
      .number(std::uint32_t{3})
      .chunk(fuzz::object_bytes(list));
  write("admission", "exposures", exposures.get());
}

void hellos() {
  wire::HelloAckBody answer;
  answer.released = {3, 600};
  answer.log_length = 0;
  Output source;
  source.byte(1).byte(0);
  source.byte(1).chunk(fuzz::object_bytes(answer));
  source.byte(1).chunk(fuzz::object_bytes(answer));
  answer.status = static_cast<std::uint8_t>(wire::HelloStatus::started);
  answer.window_end = 100'000;
  source.byte(1).chunk(fuzz::object_bytes(answer));
  write("hello", "source_starts", source.get());
  wire::HelloAckBody differs;
  differs.released = {3, 1'200};
  differs.log_length = 2'000;
  differs.digest_to = 2'000;
  differs.digest_chunk = 16;
  differs.digest_count = 125;
  Output narrows;
  narrows.byte(1).byte(0);
  for (int i = 0; i < 6; ++i) narrows.byte(1).chunk(fuzz::object_bytes(differs));
  write("hello", "source_narrows", narrows.get());
  wire::HelloAckBody blank;
  Output from_blank;
  from_blank.byte(1).byte(1);
  from_blank.byte(1).chunk(fuzz::object_bytes(blank));
  blank.status = static_cast<std::uint8_t>(wire::HelloStatus::started);
  from_blank.byte(1).chunk(fuzz::object_bytes(blank));
  write("hello", "source_blank", from_blank.get());

  Output inspects;
  inspects.byte(1).byte(2);
  for (int i = 0; i < 3; ++i) inspects.byte(1).chunk(fuzz::object_bytes(differs));
  write("hello", "source_inspects", inspects.get());

  for (const bool holds : {false, true}) {
    wire::HelloBody hello;
    hello.phase = static_cast<std::uint8_t>(wire::Phase::ask);
    hello.handshake_id = 5;
    Output replica;
    replica.byte(0).byte(holds ? 1 : 0);
    replica.byte(8).chunk(fuzz::object_bytes(hello));
    hello.phase = static_cast<std::uint8_t>(wire::Phase::compare);
    hello.compare_to = holds ? 300 : 0;
    replica.byte(8).chunk(fuzz::object_bytes(hello));
    hello.phase = static_cast<std::uint8_t>(wire::Phase::start);
    hello.start_at = {3, holds ? std::uint64_t{4'000} : 0};
    hello.cut_to = holds ? 5'200 : wire::kNoCut;
    replica.byte(8 | 16 | 32).chunk(fuzz::object_bytes(hello));
    replica.byte(8 | 16 | 32).chunk(fuzz::object_bytes(hello));
    write("hello", holds ? "replica_cuts" : "replica_blank", replica.get());
  }
}

// Replies of three replicas to the sessions of a source, and what strangers say in between.
void sessions() {
  constexpr std::uint8_t kForeign = 4, kAnswers = 8, kLost = 16, kStarted = 32, kRule = 64,
                         kIncarnation = 128;
  wire::HelloAckBody blank;
  Output sessions;
  for (std::uint8_t replica = 0; replica < 3; ++replica) {
    sessions.byte(kAnswers | replica).chunk(fuzz::object_bytes(blank));
    sessions.byte(kAnswers | kStarted | replica).chunk(fuzz::object_bytes(blank));
  }
  sessions.byte(kLost | 1);
  sessions.byte(kAnswers | kRule | 1).chunk(fuzz::object_bytes(blank));
  sessions.byte(kAnswers | kIncarnation).chunk(fuzz::object_bytes(blank));
  write("session_manager", "sessions", sessions.get());
  wire::HelloAckBody refusal;
  refusal.status = static_cast<std::uint8_t>(wire::HelloStatus::refused);
  refusal.promised = {9, 0};
  set_field(refusal.reason, "term 2 is over");
  Output strangers;
  strangers.byte(kAnswers | kForeign).chunk(fuzz::object_bytes(refusal));
  strangers.byte(kAnswers).chunk(fuzz::object_bytes(refusal));
  wire::HelloAckBody holds;
  holds.released = {3, 600};
  holds.durable = {3, 1'000};
  holds.log_epoch = {2, 2};
  holds.log_length = 400;
  holds.digest_to = 400;
  holds.digest_chunk = 4;
  holds.digest_count = 100;
  strangers.byte(kAnswers | 1).chunk(fuzz::object_bytes(holds));
  strangers.byte(kAnswers | kForeign | 1).chunk(fuzz::object_bytes(holds));
  strangers.byte(kAnswers | 1).chunk(fuzz::object_bytes(holds));
  write("session_manager", "strangers", strangers.get());
}

Bytes arp_frame(std::uint16_t operation, std::uint32_t sender, std::uint8_t mac,
                std::uint32_t target) {
  constexpr std::size_t kEthernet = 14;
  Bytes frame(kEthernet + 28);
  const auto put = [&frame](std::size_t at, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
      frame[at + i] = static_cast<std::byte>(value >> (8 * (size - 1 - i)));
  };
  put(0, 0xffffffffffff, 6);
  put(6, 0x020000000000 | mac, 6);
  put(12, 0x0806, 2);
  put(14, 1, 2);
  put(16, 0x0800, 2);
  put(18, 0x0604, 2);
  put(20, operation, 2);
  put(22, 0x020000000000 | mac, 6);
  put(28, sender, 4);
  put(38, target, 4);
  return frame;
}

void ethernets() {
  constexpr std::uint8_t kSealed = 1, kSends = 4;
  constexpr std::uint32_t kLocal = 0xc6120001, kPeer = 0xc6120002;
  Output arp;
  arp.byte(8).chunk(arp_frame(1, kPeer, 0xb, kLocal));
  arp.byte(kSends | 8).chunk(arp_frame(2, kPeer, 0xb, kLocal));
  arp.byte(kSends | 8).chunk(arp_frame(1, kPeer, 0xc, kLocal));
  arp.byte(0xf8).chunk(arp_frame(2, kPeer, 0xc, kLocal));
  write("ethernet", "arp", arp.get());
  Bytes packet(42 + 20);
  packet[12] = std::byte{0x08};
  packet[14] = std::byte{0x45};
  packet[17] = std::byte{48};  // of the IP packet
  packet[22] = std::byte{64};
  packet[23] = std::byte{17};
  packet[39] = std::byte{28};  // of the UDP datagram
  Output udp;
  udp.byte(kSealed).chunk(packet);
  udp.byte(0).chunk(packet);
  udp.byte(kSealed).chunk(ConstBytes(packet).first(40));
  write("ethernet", "udp", udp.get());
}

void binlogs() {
  const Bytes first = binlog("groups.000001");
  const Bytes second = binlog("groups.000002");
  const auto pair = [](const std::string& name, ConstBytes one, ConstBytes two) {
    Output output;
    output.byte(2).byte(0).byte(40).chunk(one).bytes(two);
    write("binlog_event", name, output.get());
  };
  pair("end_of_a_file", ConstBytes(first).first(1'500), second);
  pair("torn", second, ConstBytes(first).first(900));
  pair("groups", ConstBytes(first).first(400), ConstBytes(first).first(3'000));
  pair("mysql_tags", binlog("mysql/binlog.000002"), binlog("mysql/binlog.000003"));
  pair("mysql_anonymous", binlog("mysql/binlog.000005"), binlog("mysql/binlog.000006"));
}

void append_event(Bytes& out, ConstBytes event, std::uint8_t& sequence, bool semi_sync) {
  mysql::Writer writer;
  writer.number(std::uint8_t{0});
  if (semi_sync) writer.number(std::uint8_t{0xef}).number(std::uint8_t{1});
  writer.bytes(event);
  mysql::append_framed(out, writer.take(), sequence);
}

void from_servers() {
  const Bytes file = binlog("groups.000001");
  for (const bool semi_sync : {false, true}) {
    Bytes stream;
    std::uint8_t sequence = 1;
    append_event(stream, make_rotate(1, "binlog.000001", 4, true), sequence, semi_sync);
    std::size_t at = kBinlogMagicSize;
    for (int i = 0; i < 9; ++i) {
      const EventHeader header = parse_event_header(file.data() + at);
      append_event(stream, ConstBytes(file).subspan(at, header.length), sequence, semi_sync);
      at += header.length;
    }
    append_event(stream, make_heartbeat(1, "binlog.000001", at, true), sequence, semi_sync);
    append_event(stream, make_rotate(1, "binlog.000002", 4, true), sequence, semi_sync);
    mysql::append_framed(stream, mysql::build_eof(), sequence);
    Output output;
    output.byte(static_cast<std::uint8_t>((semi_sync ? 1 : 0) | 2)).byte(9).bytes(stream);
    write("mysql_packet_server", semi_sync ? "semi_sync_dump" : "dump", output.get());
  }
  Bytes failed;
  std::uint8_t sequence = 1;
  mysql::append_framed(failed, mysql::build_error({1236, "HY000", "Could not find the log"}),
                       sequence);
  write("mysql_packet_server", "dump_error", Output().byte(1).byte(3).bytes(failed).get());
  mysql::Handshake greeting;
  greeting.server_version = "5.5.5-10.11.0-MariaDB";
  greeting.capabilities = mysql::kClientPluginAuth | mysql::kClientProtocol41;
  write("mysql_packet_server", "greeting",
        Output().byte(0).byte(0).bytes(mysql::build_handshake(greeting)).get());
  write("mysql_packet_server", "error",
        Output().byte(0).byte(0).bytes(mysql::build_error({1045, "28000", "no"})).get());
}

void from_clients() {
  const std::string_view statements =
      "SELECT UNIX_TIMESTAMP()\nSELECT VARIABLE_VALUE FROM INFORMATION_SCHEMA.GLOBAL_VARIABLES\n"
      "SET @master_heartbeat_period= 2000000000\nSET @master_binlog_checksum= "
      "@@global.binlog_checksum\nSELECT @master_binlog_checksum\nSELECT @@GLOBAL.gtid_domain_id\n"
      "SET @slave_connect_state='0-1-5,1-2-7'\nSHOW VARIABLES LIKE 'SERVER_ID'";
  write("mysql_packet_client", "statements",
        Output().byte(1).bytes(fuzz::bytes_of(statements)).get());
  write("mysql_packet_client", "gtids",
        Output().byte(1).bytes(fuzz::bytes_of("0-1-5, 1-2-7")).get());
  write("mysql_packet_client", "mysql_gtids",
        Output()
            .byte(1)
            .bytes(fuzz::bytes_of("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7:tag:3, "
                                  "{3e11fa47-71ca-11e1-9e33-c80aa9429563}:1"))
            .get());
  mysql::HandshakeResponse login;
  login.capabilities = mysql::kClientProtocol41 | mysql::kClientSecureConnection |
                       mysql::kClientPluginAuth | mysql::kClientConnectWithDb;
  login.user = "u";
  login.plugin = mysql::kNativePassword;
  const mysql::Payload response = mysql::build_handshake_response(login);
  write("mysql_packet_client", "login", Output().byte(1).bytes(response).get());
  Bytes raw;
  std::uint8_t sequence = 1;
  mysql::append_framed(raw, response, sequence);
  write("mysql_packet_client", "raw_login", Output().byte(2).bytes(raw).get());
  const auto command = [](Output& out, mysql::Command which, ConstBytes body) {
    out.byte(static_cast<std::uint8_t>(which)).chunk(body);
  };
  for (const bool by_gtid : {false, true}) {
    Output session;
    session.byte(0);
    command(session, mysql::Command::query, fuzz::bytes_of("SELECT UNIX_TIMESTAMP()"));
    command(session, mysql::Command::query, fuzz::bytes_of("SET @mariadb_slave_capability= 4"));
    command(session, mysql::Command::query,
            fuzz::bytes_of("SET @master_binlog_checksum= @@global.binlog_checksum"));
    if (by_gtid) {
      command(session, mysql::Command::query, fuzz::bytes_of("SET @slave_connect_state='0-1-2'"));
    }
    const mysql::Payload registration = mysql::Writer()
                                            .number(std::uint32_t{5})
                                            .zeros(3)
                                            .number(std::uint16_t{3306})
                                            .zeros(8)
                                            .take();
    command(session, mysql::Command::register_slave, registration);
    const mysql::Payload dump = mysql::build_binlog_dump({4, 1, 0, by_gtid ? "" : "groups.000001"});
    command(session, mysql::Command::binlog_dump, ConstBytes(dump).subspan(1));
    write("mysql_packet_client", by_gtid ? "session_by_gtid" : "session_by_file", session.get());
  }
  const auto held = MysqlGtidSet::parse("5f1e7a70-0001-4b00-8000-00000000000a:1-2:4:binlane:1");
  BL_ASSERT(held.has_value());
  for (const bool by_set : {false, true}) {
    mysql::BinlogDumpGtid request{{4, 3, 0, by_set ? "" : "binlog.000001"}, {}};
    request.set = by_set ? held->encode(MysqlGtidEncoding::tagged)
                         : MysqlGtidSet().encode(MysqlGtidEncoding::plain);
    const mysql::Payload dump = mysql::build_binlog_dump_gtid(request);
    const ConstBytes body = ConstBytes(dump).subspan(1);
    if (by_set) write("mysql_packet_client", "dump_gtid", Output().byte(1).bytes(body).get());
    Output session;
    session.byte(4);
    command(session, mysql::Command::query,
            fuzz::bytes_of("SELECT @@GLOBAL.GTID_MODE, @@GLOBAL.SERVER_UUID, @@gtid_executed"));
    command(session, mysql::Command::query,
            fuzz::bytes_of("SET @master_binlog_checksum = @@global.binlog_checksum, "
                           "@source_binlog_checksum = @@global.binlog_checksum"));
    command(session, mysql::Command::query, fuzz::bytes_of("SHOW BINARY LOG STATUS"));
    command(session, mysql::Command::binlog_dump_gtid, body);
    write("mysql_packet_client", by_set ? "session_by_set" : "session_by_place", session.get());
  }
  login.plugin = mysql::kCachingSha2Password;
  raw.clear();
  sequence = 1;
  mysql::append_framed(raw, mysql::build_handshake_response(login), sequence);
  write("mysql_packet_client", "raw_sha2_login", Output().byte(6).bytes(raw).get());
}

void journals() {
  const auto operation = [](Output& out, std::uint8_t what, std::uint16_t amount) {
    out.byte(what).number(amount);
  };
  SourceState state;
  state.basename = "binlog";
  state.server_run = "boot 1";
  const Bytes state_bytes = encode_source_state(state);
  const std::string line =
      encode_ledger_line(2, LedgerOpen{1, {1, 2}, {3, 4}, {{}, "why", "at"}, {}});
  JournalMeta meta;
  meta.stream.basename = "binlog";
  const Bytes meta_bytes = encode_journal_meta(meta);
  const ConstBytes records[] = {state_bytes, fuzz::bytes_of(line).first(line.size() - 1),
                                meta_bytes};
  for (std::size_t i = 0; i < 3; ++i) {
    Output out;
    out.byte(16);
    operation(out, 2, 0);
    operation(out, 0, 5'000);
    operation(out, 6, 0);
    operation(out, 1, 0);
    operation(out, 6, 0);
    operation(out, 0, 300);
    operation(out, 6, 0);
    operation(out, 4, 4'500);
    operation(out, 5, 0);
    for (int more = 0; more < 5; ++more) {
      operation(out, 0, static_cast<std::uint16_t>(700 * more + 1));
    }
    operation(out, 3, 90);
    operation(out, 6, 0);
    out.byte(static_cast<std::uint8_t>(i));  // changes of the superblock
    for (std::size_t change = 0; change < i; ++change) out.byte(64).byte(1);
    out.byte(static_cast<std::uint8_t>(i));  // of the ring
    for (std::size_t change = 0; change < i; ++change) {
      out.byte(static_cast<std::uint8_t>(9 + 2 * change))
          .byte(static_cast<std::uint8_t>(3 + change));
      out.number(std::uint16_t{52}).number(std::uint16_t{0}).byte(1);
    }
    out.bytes(records[i]);
    write("journal_recovery", "ring_" + std::to_string(i), out.get());
  }
}

void texts() {
  write("config", "source", R"text(name = "source"
cluster = "lab"
data_dir = "/tmp/d"
log_level = "info"
[lane]
mode = "dedicated"
idle = "nap"
nap_us = 50
[source]
server_socket = "/run/mysqld/mysqld.sock"
server_password = "p"
acker_server_id = 900
quorum = "ANY 1 (r1, r2)"
wait_point = "AFTER_SYNC"
timeout_ms = 5000
[[source.replica]]
name = "r1"
port = "vhost:/tmp/r1"
local_address = "198.18.0.1:7100"
address = "198.18.0.2:7100"
[[source.replica]]
name = "r2"
port = "udp"
local_address = "127.0.0.1:7100"
address = "127.0.0.1:7101"
)text");
  write("config", "replica", R"text(name = "r1"
cluster = "lab"
data_dir = "/tmp/d"
[replica]
port = "udp"
address = "127.0.0.1:7101"
journal_size_mb = 8
feed_listen = "127.0.0.1:3401"
feed_password = "p"
danger_buffered_journal = true
[danger_faults]
loss = 0.5
seed = 3
)text");
  write("config", "faults",
        "name = 1\nnme = \"x\"\n[source]\n[lane]\nmode = \"spin\"\n[[replica]]\n");
  const auto rule = [](const std::string& name, std::string_view text) {
    write("quorum", name, Output().byte(5).bytes(fuzz::bytes_of(text)).get());
  };
  rule("any", "ANY 1 (r1, r2)");
  rule("level", "any 2 ( r1,r2 , a-b.c_d ) level RECEIVED");
  rule("two_clauses", "ANY 1 (r1, ANY) AND ANY 1 (r2, 3)");
  rule("first", "FIRST 1 (r1, r2)");
  rule("zones", "ANY 1 FROM EACH (r1)");
  write("admin", "requests",
        "{\"verb\": "
        "\"ping\"}\n{\"verb\":\"status\"}\n{\"verb\":\"echo\",\"a\":[1,null,{\"b\":2.5}]}\n"
        "{\"verb\":7}\n[]\n{\"verb\":\"fail\"}\nnot json");
  write(
      "admin", "status",
      R"text({"name":"s","source":{"state":"SEMISYNC","rule":"ANY 1 (r1)","written":{"file":1,"offset":4},"synced":{"file":1,"offset":4},"quorum":{"file":1,"offset":4},"replicas":[{"name":"r1","connected":true,"durable_lag_bytes":0,"damaged":true}],"ledger":{"open":0,"entries":2}},"replica":{"connected":false,"refusal":"no","durable":{"file":1,"offset":9},"journal":{"state":"ok"}}})text");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  folder = arguments[1];
  datagrams();
  hellos();
  sessions();
  ethernets();
  admissions();
  binlogs();
  from_servers();
  from_clients();
  journals();
  texts();
  return 0;
}
