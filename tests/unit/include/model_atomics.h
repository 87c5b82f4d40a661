// ModelAtomics: the policy with which the explorer (interleavings.h) runs the shared page's
// operations.
//
// It makes no step itself. It answers the steps that were made before with what they returned then,
// and throws at the next one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "binlane/shim_page.h"

namespace binlane::shim_page {

// What the threads share.
struct Memory {
  Page page;
  Word time_is_over;  // 1: whoever has a deadline has reached it
};

struct Step {
  enum class Kind : std::uint8_t { load, store, add, sleep, wake };
  Kind kind = Kind::load;
  Word* word = nullptr;
  std::uint64_t value = 0;
};

// A machine that breaks one promise of HardwareAtomics, to show that the explorer would find it.
enum class Fault : std::uint8_t {
  none,
  stale_second_look,    // a load of a word that the thread has loaded before returns the same again
  sleep_unconditional,  // the kernel does not compare
  buffered_stores,  // a store becomes visible only with the thread's next store, as on plain x86
};

// The policy of the operations (see HardwareAtomics).
class ModelAtomics {
 public:
  // Thrown at the step that is to be made next.
  struct Pending {
    Step step;
  };

  ModelAtomics(const std::vector<std::uint64_t>& results, Fault fault)
      : results_(results), fault_(fault) {}

  std::uint64_t load(const Word& word) {
    const std::uint64_t value = step(Step::Kind::load, word, 0);
    if (fault_ != Fault::stale_second_look) return value;
    return first_looks_.try_emplace(&word, value).first->second;
  }
  void store(Word& word, std::uint64_t value) { step(Step::Kind::store, word, value); }
  void add(Word& word, std::int64_t change) {
    step(Step::Kind::add, word, static_cast<std::uint64_t>(change));
  }
  void sleep(const Word& word, std::uint32_t low_half, std::uint64_t) {
    step(Step::Kind::sleep, word, low_half);
  }
  void wake_all(const Word& word) { step(Step::Kind::wake, word, 0); }
  void relax() {}

 private:
  std::uint64_t step(Step::Kind kind, const Word& word, std::uint64_t value) {
    if (made_ == results_.size()) throw Pending{{kind, const_cast<Word*>(&word), value}};
    return results_[made_++];
  }

  const std::vector<std::uint64_t>& results_;
  const Fault fault_;
  std::size_t made_ = 0;
  std::unordered_map<const Word*, std::uint64_t> first_looks_;
};

}  // namespace binlane::shim_page
