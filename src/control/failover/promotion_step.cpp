// The steps of a promotion: which may follow which, and what a restart does in each.
#include "control/failover/promotion.h"

namespace binlane {

const char* to_string(PromotionStep step) noexcept {
  switch (step) {
    case PromotionStep::none:
      return "NONE";
    case PromotionStep::fencing:
      return "FENCING";
    case PromotionStep::sealed:
      return "SEALED";
    case PromotionStep::released:
      return "RELEASED";
    case PromotionStep::executed:
      return "EXECUTED";
    case PromotionStep::active:
      return "ACTIVE";
  }
  return "?";
}

PromotionResume resume_of(PromotionStep step) noexcept {
  switch (step) {
    case PromotionStep::none:
    case PromotionStep::active:
      return PromotionResume::nothing;
    case PromotionStep::fencing:
      return PromotionResume::give_up;
    case PromotionStep::sealed:
    case PromotionStep::released:
    case PromotionStep::executed:
      return PromotionResume::go_on;
  }
  return PromotionResume::nothing;
}

bool may_follow(PromotionStep from, PromotionStep to) noexcept {
  switch (from) {
    case PromotionStep::none:
    case PromotionStep::active:
      return to == PromotionStep::fencing;
    case PromotionStep::fencing:
      return to == PromotionStep::sealed || to == PromotionStep::none ||
             to == PromotionStep::fencing;
    case PromotionStep::sealed:
      // A later candidate may depose this one until the new stream has begun.
      return to == PromotionStep::released || to == PromotionStep::none;
    case PromotionStep::released:
      return to == PromotionStep::executed || to == PromotionStep::none;
    case PromotionStep::executed:
      return to == PromotionStep::active || to == PromotionStep::none;
  }
  return false;
}

}  // namespace binlane
