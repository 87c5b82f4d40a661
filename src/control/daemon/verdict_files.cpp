#include "control/daemon/verdict_files.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

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
  const char* const end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data() + colon + 1, end, question.at.offset);
  if (code != std::errc{} || stop != end || question.at.is_null()) return std::nullopt;
  return question;
}

// The oldest file without a gap below `last`.
std::uint32_t first_file(const ArchivePlace& place, std::uint32_t last) {
  std::error_code error;
  while (last > 1 && std::filesystem::exists(place.path(last - 1), error)) --last;
  return last;
}

// In the log that the facts' marks belong to.
void search(const Question& question, const ArchivePlace& place, std::uint32_t last,
            VerdictFacts& facts) {
  if (!question.gtid) {
    if (question.file == place.file_name(question.at.file))
      facts.end = question.at;
    else
      facts.problem = fmt::format("the stream's files are called {}", place.file_name(1));
    return;
  }
  const GroupSearch found = find_group(place, first_file(place, last), last, *question.gtid);
  if (found.found) facts.end = found.found->end;
  facts.not_here = found.absent;
  facts.problem = found.problem;
}

// Below a seal, in the archives of this host. A position alone does not say which stream it belongs
// to.
void search_sealed(const Question& question, const std::string& archive, const JournalMeta& meta,
                   VerdictFacts& facts) {
  if (!question.gtid) return;
  for (const SealedStream& sealed : meta.sealed) {
    const std::string folder = archive_subfolder(sealed.stream, sealed.own_folder);
    const ArchivePlace place{folder.empty() ? archive : archive + "/" + folder,
                             sealed.stream.basename};
    const std::uint32_t last = sealed.end.offset > 0 ? sealed.end.file : sealed.end.file - 1;
    const GroupSearch found = find_group(place, first_file(place, last), last, *question.gtid);
    if (found.found && found.found->end <= sealed.end)
      facts.sealed_stream = to_string(sealed.stream);
  }
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
  const std::uint32_t last = end.offset > 0 ? end.file : end.file - 1;
  search(question, {parts->folder, meta.stream.basename}, last, facts);
}

}  // namespace

AdminReply give_verdict(const Config& config, Daemon& daemon, const json& request) {
  const auto found = request.find("what");
  if (found == request.end() || !found->is_string())
    return AdminError{"what",
                      "expected a GTID such as 0-1-42 or UUID:42, or a position such as "
                      "binlog.000003:1234 (where the transaction ends)"};
  const auto question = parse_question(found->get<std::string>());
  if (!question)
    return AdminError{"what",
                      "neither a GTID (0-1-42, UUID:42) nor a position (binlog.000003:1234)"};
  VerdictFacts facts;
  facts.what = found->get<std::string>();
  std::optional<SourceView> source;
  if (daemon.source_control() != nullptr) source = daemon.source_control()->view();
  facts.role = source ? source->role.role : HostRole::standby;
  if (daemon.replica() != nullptr) {
    search_sealed(*question, config.replica->archive, daemon.replica()->store().meta(), facts);
    // The stream that this host's own promotion sealed is still its journal's.
    if (facts.role == HostRole::source && facts.sealed_stream.empty() && question->gtid) {
      VerdictFacts own;
      look_as_replica(*question, config.name, *daemon.replica(), own);
      const PromotionRecord& promotion = source->role.promotion;
      if (own.end && promotion.step == PromotionStep::active && *own.end <= promotion.sealed_at)
        facts.sealed_stream = to_string(promotion.old_stream);
    }
  }
  if (source && facts.role != HostRole::standby) {
    facts.rule = config.source->quorum_text;
    look_as_source(*question, *source, facts);
    if (facts.role == HostRole::fenced && daemon.replica() != nullptr)
      look_at_seal(daemon.replica()->control(), *source, facts);
  } else if (daemon.replica() != nullptr) {
    look_as_replica(*question, config.name, *daemon.replica(), facts);
  }
  const Verdict verdict = judge_transaction(facts);
  return json{{"what", facts.what},
              {"verdict", to_string(verdict.kind)},
              {"host", config.name},
              {"role", to_string(facts.role)},
              {"evidence", verdict.evidence}};
}

}  // namespace binlane
