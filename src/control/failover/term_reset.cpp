#include "control/failover/term_reset.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <memory>

#include "base/error.h"
#include "control/failover/host_role.h"
#include "control/failover/promotion.h"
#include "control/stream/source_state.h"
#include "storage/durable_record.h"
#include "storage/file_util.h"
#include "storage/journal/journal_file.h"

namespace binlane {
namespace {

// A daemon answers at its admin socket; a replica's daemon also holds a lock on its journal.
bool daemon_runs(const std::string& socket_path) {
  sockaddr_un address{};
  if (socket_path.empty() || socket_path.size() >= sizeof address.sun_path) return false;
  address.sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(address.sun_path), socket_path.c_str(), socket_path.size());
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return socket.is_open() &&
         ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// What this host has on record. Missing files are not created.
class Records {
 public:
  explicit Records(const Config& config) {
    if (config.replica) open_journal(*config.replica);
    const std::string role = config.data_dir + "/role.state";
    const std::string state = config.data_dir + "/source.state";
    if (config.source && DurableRecord::exists(role))
      role_ = std::make_unique<RoleFile>(role, HostRole::fenced);
    if (config.source && DurableRecord::exists(state))
      state_ = std::make_unique<SourceStateFile>(state);
  }

  std::vector<std::string> describe() const;
  std::string refuse(const TermReset& reset) const;
  std::string carry_out(const TermReset& reset, std::vector<std::string>& done);

 private:
  void open_journal(const ReplicaConfig& replica) {
    if (!DurableRecord::exists(replica.journal + ".meta")) return;
    JournalFileOptions options;
    options.path = replica.journal;
    options.size_bytes = replica.journal_size_mb << 20;
    options.danger_buffered = replica.danger_buffered_journal;
    journal_ = std::make_unique<JournalFile>(options);
  }
  // The largest term that anything on this host bears: its log, its streams, its server's binlogs.
  std::uint32_t largest_in_use() const;

  std::unique_ptr<JournalFile> journal_;
  std::unique_ptr<RoleFile> role_;
  std::unique_ptr<SourceStateFile> state_;
};

std::uint32_t Records::largest_in_use() const {
  std::uint32_t largest = 0;
  if (journal_) {
    const JournalMeta meta = journal_->meta();
    largest = std::max({journal_->start().epoch.term, meta.stream.term, meta.forgotten_term});
  }
  if (state_ && state_->state()) largest = std::max(largest, state_->state()->epoch.term);
  return largest;
}

std::vector<std::string> Records::describe() const {
  std::vector<std::string> lines;
  if (role_) {
    const RoleState& role = role_->state();
    lines.push_back(fmt::format(
        "role {}, host id {}{}", to_string(role.role), to_string(role.host_id),
        role.fenced_by == 0 ? std::string() : fmt::format(", fenced by term {}", role.fenced_by)));
  }
  if (state_ && state_->state())
    lines.push_back(fmt::format("its own stream {} is in term {}",
                                to_string(state_->state()->origin), state_->state()->epoch.term));
  if (journal_) {
    const JournalMeta meta = journal_->meta();
    lines.push_back(fmt::format("journal {}: stream {}, log of term {}", to_string(meta.journal),
                                meta.stream.is_null() ? "none" : to_string(meta.stream),
                                journal_->start().epoch.term));
    lines.push_back(meta.promise.term == 0
                        ? std::string("nothing is promised")
                        : fmt::format("term {} is promised to {}", meta.promise.term,
                                      to_string(meta.promise.candidate)));
  }
  if (lines.empty()) lines.emplace_back("no term is on record here");
  return lines;
}

std::string Records::refuse(const TermReset& reset) const {
  if (reset.term == 0 || reset.term > kMaxTerm - 1)
    return fmt::format("a term is a number from 1 to {}", kMaxTerm - 1);
  if (const std::uint32_t used = largest_in_use(); reset.term < used)
    return fmt::format("term {} is already in use on this host: choose that, or a later one", used);
  if (!role_) return {};
  const RoleState& role = role_->state();
  if (resume_of(role.promotion.step) == PromotionResume::go_on)
    return fmt::format(
        "this host's promotion in term {} is decided but not finished: start binlaned, and let the "
        "promotion end",
        role.promotion.term);
  const bool goes_on = reset.source && *reset.source == role.host_id;
  if (!goes_on) {
    if (role.role == HostRole::source)
      return "this host is the source by its record: fence it first, or give its host id with "
             "--source";
    return {};
  }
  if (role.role == HostRole::standby)
    return "this host is a standby, so it cannot continue as the source";
  if (!state_ || !state_->state() || state_->state()->epoch.term != reset.term)
    return fmt::format(
        "this host's own stream is in term {}: a source continues in its own term only",
        state_ && state_->state() ? state_->state()->epoch.term : 0);
  return {};
}

std::string Records::carry_out(const TermReset& reset, std::vector<std::string>& done) {
  if (journal_) {
    const Promise promise{reset.term, reset.source.value_or(journal_->meta().journal)};
    if (const int error = journal_->reset_promise(promise); error != 0)
      return fmt::format("cannot store the promise: {}", errno_text(error));
    done.push_back(fmt::format("term {} is promised to {}", promise.term,
                               reset.source ? to_string(*reset.source) : "nobody"));
  }
  if (!role_) return {};
  RoleState role = role_->state();
  const bool goes_on = reset.source && *reset.source == role.host_id;
  role.fenced_by = goes_on ? 0 : std::min(role.fenced_by, reset.term);
  if (goes_on) role.role = HostRole::source;
  if (goes_on) role.fence_reason.clear();
  if (role == role_->state()) return {};
  if (const int error = role_->store(role); error != 0)
    return fmt::format("cannot store the host's role: {}", errno_text(error));
  done.push_back(goes_on ? fmt::format("this host is the source of term {} again", reset.term)
                         : fmt::format("fenced by term {}", role.fenced_by));
  return {};
}

}  // namespace

TermReport look_at_terms(const Config& config, const TermReset* reset) {
  TermReport report;
  if (daemon_runs(config.admin_socket)) {
    report.problem =
        fmt::format("a binlaned is running (it answers at {}): stop it first", config.admin_socket);
    return report;
  }
  try {
    Records records(config);
    report.found = records.describe();
    if (reset == nullptr) return report;
    report.problem = records.refuse(*reset);
    if (report.problem.empty()) report.problem = records.carry_out(*reset, report.done);
  } catch (const StartupError& error) {
    report.problem = error.what();
  }
  return report;
}

}  // namespace binlane
