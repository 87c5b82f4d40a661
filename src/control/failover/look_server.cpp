#include "control/look_server.h"

#include <utility>

namespace binlane {
namespace {

// Nothing is compared, so nothing is asked of it.
class NoStream final : public StreamProof {
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
                       std::vector<HandshakeDesk::Replica> peers) {
  if (!lane_.stand_still()) return false;
  lane_.begin_looking();
  lane_.go_on();
  proof_ = std::make_unique<NoStream>();
  desk_ = std::make_unique<HandshakeDesk>(std::move(peers), *proof_, lane_.queues());
  identity.look = true;
  desk_->begin_incarnation(identity, {}, {});
  return true;
}

void LookServer::end() {
  if (!desk_) return;
  desk_.reset();
  if (lane_.stand_still()) lane_.end_looking();
}

}  // namespace binlane
