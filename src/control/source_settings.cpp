// SourceControl, the part that takes an operator's wishes while it runs: settings, degrade, resume,
// the ledger's confirmations. Everything is done on the control thread, in one of its turns.

#include <fmt/format.h>

#include <chrono>

#include "base/error.h"
#include "base/log.h"
#include "control/quorum_text.h"
#include "control/source_control.h"
#include "control/source_settings.h"

namespace binlane {
namespace {

// Less than a client of the admin socket waits. A turn that waits for the server may take longer.
constexpr std::chrono::seconds kAskTimeout{4};
constexpr std::size_t kMaxQuestions = 8;

}  // namespace

std::string SourceControl::ask(const std::function<std::string()>& work) {
  auto question = std::make_shared<Question>();
  question->work = work;
  std::unique_lock lock(mutex_);
  if (stopping_) return "this binlaned is ending";
  if (questions_.size() == kMaxQuestions) return "too much is asked of it at once; try again";
  questions_.push_back(question);
  wake_.notify_all();
  if (answered_.wait_for(lock, kAskTimeout, [&] { return question->done; }))
    return question->answer;
  std::erase(questions_, question);
  return question->taken ? "it is being carried out and takes long; look at the status"
                         : "the control thread is busy with the server; nothing was done";
}

void SourceControl::answer_questions() {
  std::vector<std::shared_ptr<Question>> asked;
  {
    const std::lock_guard lock(mutex_);
    asked.swap(questions_);
    for (const auto& question : asked) question->taken = true;
  }
  for (const auto& question : asked) {
    std::string answer = question->work();
    publish();  // whoever looks at the status next finds what was done
    const std::lock_guard lock(mutex_);
    question->answer = std::move(answer);
    question->done = true;
    answered_.notify_all();
  }
}

std::string SourceControl::change(const Config& next) {
  return ask([this, next] { return apply(next); });
}

std::string SourceControl::apply(const Config& next) {
  const SourceConfig& wanted = *next.source;
  if (!(wanted.quorum == source_.quorum)) {
    if (std::string problem = begin_rule_change(wanted); !problem.empty()) return problem;
  }
  if (std::string problem = apply_to_server(wanted); !problem.empty()) return problem;
  config_ = next;
  shown_config_ = std::make_shared<const Config>(next);
  return {};
}

// Our deadline must end before the server's (S13) at every moment: a longer time is told the server
// first, a shorter one ourselves. A commit that waits already keeps the server's older one.
std::string SourceControl::apply_to_server(const SourceConfig& next) {
  const bool there = phase_ == Phase::running && commander_.has_value();
  const std::uint64_t server_ms = next.effective_server_timeout_ms();
  const std::uint64_t before_ms = source_.effective_server_timeout_ms();
  const auto failed = [](const char* what, const SqlError& error) {
    return fmt::format("the server does not take the {}: {}", what, to_string(error));
  };
  if (there && next.wait_point != source_.wait_point) {
    const SqlError error = commander_->set_wait_point(next.wait_point);
    if (!error.ok()) return failed("wait point", error);
    log::warning("wait_point", "commits wait at {} from now on",
                 next.wait_point == WaitPoint::after_sync ? "AFTER_SYNC" : "AFTER_COMMIT");
  }
  if (there && server_ms > before_ms) {
    const SqlError error = commander_->set_server_timeout(server_ms, next.timeout_ms);
    if (!error.ok()) return failed("timeout", error);
  }
  if (fallback_) fallback_->set_options(fallback_options(next));
  if (there && server_ms < before_ms) {
    const SqlError error = commander_->set_server_timeout(server_ms, next.timeout_ms);
    // Its longer timeout does no harm.
    if (!error.ok()) log::warning("server_setting", "{}", failed("timeout", error));
  }
  return {};
}

std::string SourceControl::ask_degrade() {
  return ask([this]() -> std::string {
    if (phase_ != Phase::running || !fallback_) return "this host is not a running source";
    if (fallback_->ledger_failed()) return ledger_.failure();
    if (const int error = degrade_mark_.leave(); error != 0)
      return fmt::format("cannot put it on record in {}: {}", degrade_mark_.path(),
                         errno_text(error));
    guard_.answered();  // who asks for it takes it on himself
    fallback_->degrade();
    return {};
  });
}

std::string SourceControl::ask_resume() {
  return ask([this]() -> std::string {
    if (phase_ != Phase::running || !fallback_) return "this host is not a running source";
    if (const int error = degrade_mark_.remove(); error != 0)
      return fmt::format("cannot remove {}: {}", degrade_mark_.path(), errno_text(error));
    fallback_->resume();
    return {};
  });
}

std::vector<LedgerInterval> SourceControl::ledger_intervals() {
  // Shared, because the answer may come after we gave up waiting for it.
  auto list = std::make_shared<std::vector<LedgerInterval>>();
  if (!ask([this, list] {
         *list = ledger_.list();
         return std::string();
       }).empty())
    return {};
  return *list;
}

std::string SourceControl::acknowledge_interval(std::uint64_t id, const std::string& by) {
  return ask([this, id, by] { return ledger_.acknowledge(id, by); });
}

// A replica that is slow is passed over by FIRST; ANY has the others' marks anyway.
void SourceControl::watch_slow(const SourceMarks& marks) {
  if (phase_ != Phase::running) return;
  ReplicaSet connected = 0;
  std::array<std::uint64_t, kMaxReplicas> reached{};
  for (std::size_t i = 0; i < kMaxReplicas; ++i) {
    if (!marks.replicas[i].connected) continue;
    connected |= ReplicaSet{1} << i;
    reached[i] = marks.replicas[i].durable;
  }
  slow_.look(marks.at_ns, source_.effective_slow_after_ms() * kNanosPerMilli,
             static_cast<std::uint32_t>(incarnations_), connected, reached);
  if (slow_.slow() == slow_told_) return;
  SourceCommand command;
  command.kind = SourceCommand::Kind::set_slow;
  command.slow = slow_.slow();
  if (!send(command)) return;
  for (std::size_t i = 0; i < source_.replicas.size(); ++i) {
    const ReplicaSet bit = ReplicaSet{1} << i;
    if (((slow_.slow() ^ slow_told_) & bit) == 0) continue;
    if ((slow_.slow() & bit) != 0)
      log::warning("replica_slow",
                   "replica {} takes more than {} ms for what others have: it is passed over where "
                   "the rule allows it",
                   source_.replicas[i].name, source_.effective_slow_after_ms());
    else
      log::info("replica_fast", "replica {} keeps up again", source_.replicas[i].name);
  }
  slow_told_ = slow_.slow();
}

}  // namespace binlane
