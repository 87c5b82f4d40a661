#include "control/failover/look_server.h"

#include <utility>

namespace binlane {
namespace {

// A look compares no logs, so this view is never asked anything.
class NoStream final : public SourceLogView {
 public:
  Position first() const override { return {}; }
  std::uint64_t written() const override { return 0; }
  std::optional<std::uint64_t> linear_of(const Position&) const override { return std::nullopt; }
  Position position_of(std::uint64_t) const override { return {}; }
  std::optional<std::uint32_t> digest(std::uint64_t, std::uint64_t) const override {
    return std::nullopt;
  }
  std::optional<std::uint32_t> digest_below(const Position&, std::uint64_t) const override {
    return std::nullopt;
  }
};

}  // namespace

bool LookServer::begin(SourceHandshake::Identity identity,
                       std::vector<SessionManager::Replica> peers) {
  if (!lane_.quiesce()) return false;
  lane_.begin_looking();
  lane_.resume();
  proof_ = std::make_unique<NoStream>();
  sessions_ = std::make_unique<SessionManager>(std::move(peers), *proof_, lane_.queues());
  identity.look = true;
  sessions_->begin_incarnation(identity, {}, {});
  return true;
}

void LookServer::end() {
  if (!sessions_) return;
  sessions_.reset();
  if (lane_.quiesce()) lane_.end_looking();
}

}  // namespace binlane
