// PromotionWatch: what the simulator's checks see of a host's promotions. After each turn of the
// host's control it reads the record, and keeps of the last promotion what its end would take away.
#pragma once

#include <cstdint>
#include <functional>

#include "binlog_store.h"
#include "control/failover/host_role.h"
#include "control/failover/promoter.h"
#include "host_files.h"
#include "trace.h"

namespace binlane::sim {

class PromotionWatch {
 public:
  // `files`: the host's own. Both must outlive this object.
  PromotionWatch(Trace& trace, HostFiles& files) : trace_(trace), files_(files) {}

  // Somebody asks for another promotion.
  void begin();
  // The host has rejoined: what it was the source of is over.
  void forget();
  void observe(const RoleState& role, const Promoter& promoter);

  // The last phase that was seen; a daemon that died was in it.
  Promoter::Phase phase() const { return phase_; }
  std::uint32_t term() const { return record_.term; }
  Promise promise() const { return {record_.term, host_id_}; }
  PromotionStream old_stream() const {
    return {record_.old_stream.origin, record_.old_stream.term};
  }
  const Uuid& new_origin() const { return record_.new_origin; }
  // Where it has sealed the old stream; null: it has not.
  Position sealed_at() const { return sealed_at_; }
  // The files that it serves to its peers up to there. They are deleted once it is the source.
  const BinlogStore& sealed() const { return sealed_; }
  // The end of this host's log, and how far that was released, when it was inspected.
  Position log_end() const { return held_.end; }
  Position released_before() const { return held_.released; }
  // Whether it ever released the tail: a candidate that gives up takes nothing back.
  bool released() const { return released_; }
  // How often it fetched what another host held and this one lacked.
  int fetches() const { return fetches_; }

  // Called after the decision, and once the new rule covers the seal.
  std::function<void()> on_sealed;
  std::function<void()> on_released;

 private:
  void note_record(const PromotionRecord& record);
  void copy_sealed();

  Trace& trace_;
  HostFiles& files_;
  Promoter::Phase phase_ = Promoter::Phase::idle;
  Uuid host_id_;
  PromotionRecord record_;
  PromotionLog held_;
  Position sealed_at_;
  BinlogStore sealed_;
  bool released_ = false;
  int fetches_ = 0;
};

}  // namespace binlane::sim
