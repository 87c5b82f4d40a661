#include "control/daemon/verdict_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/number_text.h"
#include "control/config/promotion_rule.h"
#include "control/failover/verdict.h"
#include "shim/binlog/binlog_index.h"
#include "shim/binlog/gtid.h"
#include "shim/feed/binlog_groups.h"
#include "storage/archive/archive_files.h"

namespace binlane {
namespace {

using nlohmann::json;

// What was asked for.
struct Question {
  std::optional<Gtid> gtid;
  Position at;  // null: by GTID
  std::string file;
  std::optional<std::uint32_t> term;  // the stream's, of a position
};

// A stream that a promotion ended, and its files on this host.
struct SealedFolder {
  KnownStream stream;
  ArchivePlace place;
};

std::optional<Question> parse_question(const std::string& text) {
  Question question;
  if (const auto gtid = parse_any_gtid(text)) {
    question.gtid = *gtid;
    return question;
  }
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  question.file = text.substr(0, colon);
  question.at.file = binlog_file_number(question.file);
  const auto offset = parse_number<std::uint64_t>(std::string_view(text).substr(colon + 1));
  if (!offset || question.at.is_null()) return std::nullopt;
  question.at.offset = *offset;
  return question;
}

// The oldest file without a gap below `last`.
std::uint32_t first_file(const ArchivePlace& place, std::uint32_t last) {
  std::error_code error;
  while (last > 1 && std::filesystem::exists(place.path(last - 1), error)) --last;
  return last;
}

// A position names a transaction only if one ends there.
void search_position(const Question& question, const ArchivePlace& place, VerdictFacts& facts) {
  if (question.file != place.file_name(question.at.file)) {
    facts.problem = fmt::format("the files of that stream are called {}", place.file_name(1));
    return;
  }
  const GroupSearch found = find_group_end(place, question.at);
  if (found.found && found.found->end == question.at) {
    facts.end = question.at;
    if (!found.found->gtid.is_anonymous()) facts.gtid = to_string(found.found->gtid);
    return;
  }
  facts.problem = found.problem.empty() ? fmt::format("no transaction ends at {} of that stream",
                                                      to_string(question.at))
                                        : found.problem;
  if (found.found)
    facts.problem +=
        fmt::format("; the next one, GTID {}, is at {} to {}", to_string(found.found->gtid),
                    to_string(found.found->begin), to_string(found.found->end));
}

// In the log that the facts' marks belong to.
void search(const Question& question, const ArchivePlace& place, std::uint32_t last,
            VerdictFacts& facts) {
  if (!question.gtid) {
    search_position(question, place, facts);
    return;
  }
  const GroupSearch found = find_group(place, first_file(place, last), last, *question.gtid);
  if (found.found) facts.end = found.found->end;
  facts.not_here = found.absent;
  facts.problem = found.problem;
}

// The streams before the present one that this host has on record, the oldest first.
std::vector<SealedFolder> sealed_folders(const std::string& archive, const SourceView* source,
                                         ReplicaSide& replica) {
  std::vector<SealedFolder> folders;
  const JournalMeta meta = replica.store().meta();
  const auto add = [&](const StreamIdentity& stream, Position end, bool own_folder) {
    const std::string folder = archive_subfolder(stream, own_folder);
    folders.push_back(
        {{stream, end}, {folder.empty() ? archive : archive + "/" + folder, stream.basename}});
  };
  for (const SealedStream& sealed : meta.sealed) add(sealed.stream, sealed.end, sealed.own_folder);
  // The stream that this host's own promotion sealed is still its journal's.
  if (source == nullptr || source->role.role == HostRole::standby) return folders;
  const PromotionRecord& promotion = source->role.promotion;
  if (promotion.step == PromotionStep::active && meta.stream == promotion.old_stream)
    add(promotion.old_stream, promotion.sealed_at, meta.own_folder);
  return folders;
}

// Below a seal, in the archives of this host.
void search_sealed(const Gtid& gtid, const std::vector<SealedFolder>& folders,
                   VerdictFacts& facts) {
  for (const SealedFolder& sealed : folders) {
    const Position end = *sealed.stream.sealed_at;
    const std::uint32_t last = end.last_file();
    const GroupSearch found = find_group(sealed.place, first_file(sealed.place, last), last, gtid);
    if (!found.found || found.found->end > end) continue;
    facts.stream = sealed.stream;
    facts.end = found.found->end;
  }
}

// What lies after a seal is in no file.
void search_sealed_position(const Question& question, const std::vector<SealedFolder>& folders,
                            VerdictFacts& facts) {
  if (question.at > *facts.stream->sealed_at) {
    facts.end = question.at;
    return;
  }
  for (const SealedFolder& sealed : folders) {
    if (sealed.stream.stream == facts.stream->stream)
      search_position(question, sealed.place, facts);
  }
}

// The stream that this host's marks belong to; nothing if there is none yet.
std::optional<KnownStream> present_stream(const SourceView* source, ReplicaSide* replica) {
  StreamIdentity stream;
  if (source != nullptr && source->role.role != HostRole::standby)
    stream = {source->origin, source->epoch.term,
              std::filesystem::path(source->role.binlog_base).filename().string()};
  else if (replica != nullptr)
    stream = replica->store().meta().stream;
  return stream.is_null() ? std::nullopt : std::optional<KnownStream>({stream, std::nullopt});
}

std::uint32_t latest_term_heard_of(const SourceView* source, ReplicaSide* replica) {
  std::uint32_t term = source != nullptr ? source->role.fenced_by : 0;
  if (replica != nullptr) term = std::max(term, replica->store().promise().term);
  return term;
}

void look_as_source(const Question& question, const SourceView& view, VerdictFacts& facts) {
  const RoleState& role = view.role;
  const BinlogIndex index = read_binlog_index(role.binlog_index, role.binlog_base);
  facts.live = view.phase == SourcePhase::running;
  facts.synced = view.marks.synced_at;
  facts.quorum = view.marks.quorum_at;
  if (!index.error.empty()) {
    facts.problem = index.error;
    return;
  }
  if (role.promotion.new_origin == view.origin) facts.begins_at = role.promotion.new_start;
  if (!question.gtid && question.at <= facts.begins_at) {
    facts.problem = fmt::format("that stream begins at {} only", to_string(facts.begins_at));
    return;
  }
  search(question, {index.directory, index.basename}, index.last, facts);
}

void look_at_seal(const ReplicaControl& control, const SourceView& view, VerdictFacts& facts) {
  const auto successor = control.successor();
  if (!successor || successor->sealed_origin != view.origin ||
      successor->sealed_term != view.epoch.term)
    return;
  facts.sealed_at = successor->sealed_at;
  const std::string& base = view.role.binlog_base;
  const auto slash = base.rfind('/');
  if (slash == std::string::npos) return;
  const ArchiveDigest digest = digest_archive(base.substr(0, slash), base.substr(slash + 1),
                                              successor->sealed_at, UINT64_MAX);
  facts.same_as_sealed = digest.length > 0 && digest.digest == successor->sealed_digest;
}

void look_as_replica(const Question& question, const std::string& name, ReplicaSide& replica,
                     VerdictFacts& facts) {
  const JournalMeta meta = replica.store().meta();
  const auto parts = replica.parts();
  const Position end = parts->archiver->status().end;
  const ReplicaLaneMarks marks = replica.control().view().marks;
  facts.released = marks.released;
  facts.durable = marks.durable;
  const ExposureState exposures = replica.control().view().exposures;
  facts.exposures = exposures.exposures;
  facts.diverged = exposures.divergence.has_value();
  facts.alone_is_quorum = !meta.rules.empty();
  for (const PromotionRule& rule : promotion_rules(meta.rules)) {
    ReplicaSet self = 0;
    for (std::size_t i = 0; i < rule.members.size(); ++i) {
      if (rule.members[i] == name) self |= ReplicaSet{1} << i;
    }
    facts.alone_is_quorum = facts.alone_is_quorum && rule.rule.satisfied_by(self);
    facts.rule = rule.text;
  }
  if (end.is_null()) {
    facts.problem = "nothing of the stream is released here yet";
    return;
  }
  if (!question.gtid && question.at > end) {
    facts.problem =
        fmt::format("this replica's archive of that stream reaches up to {} only", to_string(end));
    return;
  }
  search(question, {parts->folder, meta.stream.basename}, end.last_file(), facts);
}

// The marks and the log of the present stream.
void look_at_present(const Config& config, const Question& question, const SourceView* source,
                     ReplicaSide* replica, VerdictFacts& facts) {
  if (source != nullptr && facts.role != HostRole::standby) {
    facts.rule = config.source->quorum_text;
    look_as_source(question, *source, facts);
    if (facts.role == HostRole::fenced && replica != nullptr)
      look_at_seal(replica->control(), *source, facts);
  } else if (replica != nullptr) {
    look_as_replica(question, config.name, *replica, facts);
  }
}

void look(const Config& config, const Question& question, const SourceView* source,
          ReplicaSide* replica, VerdictFacts& facts) {
  facts.role = source != nullptr ? source->role.role : HostRole::standby;
  std::vector<SealedFolder> folders;
  if (replica != nullptr) folders = sealed_folders(config.replica->archive, source, *replica);
  facts.stream = present_stream(source, replica);
  if (question.gtid) {
    search_sealed(*question.gtid, folders, facts);
  } else {
    std::vector<KnownStream> known;
    for (const SealedFolder& sealed : folders) known.push_back(sealed.stream);
    if (facts.stream) known.push_back(*facts.stream);
    StreamChoice choice =
        stream_of_position(known, question.term, latest_term_heard_of(source, replica));
    facts.stream = choice.stream;
    facts.problem = choice.problem;
    if (!facts.stream) return;
    if (facts.stream->sealed_at) search_sealed_position(question, folders, facts);
  }
  if (!facts.stream || !facts.stream->sealed_at)
    look_at_present(config, question, source, replica, facts);
}

}  // namespace

AdminReply give_verdict(const Config& config, Daemon& daemon, const json& request) {
  const auto found = request.find("what");
  if (found == request.end() || !found->is_string())
    return AdminError{"what",
                      "expected a GTID such as 0-1-42 or UUID:42, or a position such as "
                      "binlog.000003:1234 (where the transaction ends)"};
  auto question = parse_question(found->get<std::string>());
  if (!question)
    return AdminError{"what",
                      "neither a GTID (0-1-42, UUID:42) nor a position (binlog.000003:1234)"};
  if (const auto term = request.find("term"); term != request.end()) {
    if (!term->is_number_unsigned()) return AdminError{"term", "expected a term's number"};
    if (question->gtid)
      return AdminError{"term", "only a position needs it: a GTID is looked for in every stream"};
    question->term = term->get<std::uint32_t>();
  }
  VerdictFacts facts;
  facts.what = found->get<std::string>();
  std::optional<SourceView> source;
  if (daemon.source_control() != nullptr) source = daemon.source_control()->view();
  look(config, *question, source ? &*source : nullptr, daemon.replica(), facts);
  const Verdict verdict = judge_transaction(facts);
  return json{{"what", facts.what},
              {"verdict", to_string(verdict.kind)},
              {"host", config.name},
              {"role", to_string(facts.role)},
              {"stream", facts.stream ? json(to_string(facts.stream->stream)) : json(nullptr)},
              {"evidence", verdict.evidence}};
}

}  // namespace binlane
