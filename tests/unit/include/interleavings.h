// Interleavings: runs a few threads of the shared page's operations in every possible order.
//
// A thread is a function over ModelAtomics, its *turn*, which is called until it returns an
// outcome. Each step of a turn (a load, a store, …) is made here: the turn runs from its beginning,
// is told what its earlier steps returned, and is stopped at the next one. So how far a thread has
// come is what the steps of this turn returned, and the one number that it keeps between turns.
// Every state of all threads can be saved, restored and compared with those seen before.
//
// Processes may die at any step, naps may end early, and sleepers sleep until somebody wakes them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "binlane/shim_page.h"
#include "unit/include/model_atomics.h"

namespace binlane::shim_page {

struct ModelThread {
  std::string name;
  int process = 0;
  // One turn. `kept` is what the thread keeps for the next one.
  std::function<std::optional<std::string>(ModelAtomics&, Memory&, std::uint64_t& kept)> turn;
  std::uint64_t kept = 0;
  int begins_after = 0;  // the process that must have ended before; 0: none
  Fault fault = Fault::none;
};

class Interleavings {
 public:
  // What is wrong with a state; "": nothing.
  using Check = std::function<std::string(const Interleavings&)>;

  explicit Interleavings(std::vector<ModelThread> threads)
      : threads_(std::move(threads)), all_(threads_.size()) {}

  int deaths = 0;      // how many processes may die
  int early_naps = 0;  // how many naps may end by themselves
  // Nobody can go on unless a nap ends.
  Check when_quiet = [](const Interleavings&) { return std::string(); };
  // Everybody has finished or is dead.
  Check at_end = when_quiet;

  // Tries everything. Returns the first thing that is wrong, with the steps that lead there.
  std::string run() {
    for (std::size_t i = 0; i < all_.size(); ++i) {
      all_[i].kept = threads_[i].kept;
      look_ahead(i);
    }
    explore();
    return problem_;
  }

  const Page& page() const { return memory_->page; }
  std::size_t states() const { return seen_.size(); }
  bool anybody_died() const {
    for (const Progress& each : all_)
      if (each.dead) return true;
    return false;
  }
  bool sleeps(std::size_t index) const { return all_[index].sleeps_on != nullptr; }
  // Empty if the thread has not finished.
  const std::string& outcome(std::size_t index) const { return all_[index].outcome; }
  // In how many of the states in which all ended a thread had this outcome.
  std::size_t count(std::size_t index, const std::string& outcome) const {
    const auto found = outcomes_.find(std::to_string(index) + outcome);
    return found == outcomes_.end() ? 0 : found->second;
  }
  // Every entry that has been in force in the cell since the beginning.
  std::vector<Entry> entries(const Cell& cell) const {
    std::vector<Entry> found{Entry{}};
    for (const auto& [where, entry] : written_)
      if (where == &cell) found.push_back(entry);
    return found;
  }
  static Entry in_force(const Cell& cell) {
    HardwareAtomics atomics;
    return read(atomics, cell)->entry;
  }

 private:
  struct Progress {
    std::uint64_t kept = 0;
    std::vector<std::uint64_t> results;  // of this turn's steps
    std::optional<Step> next;
    std::vector<std::pair<Word*, std::uint64_t>> buffer;
    std::string outcome;
    bool finished = false;
    bool dead = false;
    const Word* sleeps_on = nullptr;
  };
  struct Move {
    const char* what = "";
    std::size_t thread = 0;
    std::optional<Step> step;
  };
  struct Saved {
    std::vector<std::uint64_t> words;
    std::vector<Progress> all;
    std::size_t written = 0;
    int deaths = 0;
    int early_naps = 0;
  };
  static constexpr std::size_t kWords = (sizeof(Memory) - sizeof(Header)) / sizeof(Word);

  // Everything after the header consists of words.
  Word* words() { return &memory_->page.doorbell.sequence; }

  Saved save() {
    Saved saved{std::vector<std::uint64_t>(kWords), all_, written_.size(), deaths, early_naps};
    for (std::size_t i = 0; i < kWords; ++i) saved.words[i] = words()[i].load();
    return saved;
  }
  void restore(Saved&& saved) {
    for (std::size_t i = 0; i < kWords; ++i) words()[i].store(saved.words[i]);
    all_ = std::move(saved.all);
    written_.resize(saved.written);
    deaths = saved.deaths;
    early_naps = saved.early_naps;
  }

  // True if this state was not seen before.
  bool is_new() {
    // Two independent hashes instead of the state itself, which would take hundreds of megabytes.
    std::pair<std::uint64_t, std::uint64_t> key{0x9e3779b97f4a7c15, 0xcbf29ce484222325};
    const auto put = [&key](std::uint64_t value) {
      key.first = std::rotl(key.first ^ value, 29) * 0xbf58476d1ce4e5b9;
      key.second = (key.second ^ value ^ value >> 32) * 0x100000001b3;
      key.second ^= key.second >> 31;
    };
    for (std::size_t i = 0; i < kWords; ++i) put(words()[i].load());
    for (const Progress& each : all_) {
      put(std::uint64_t{each.finished} << 2 | std::uint64_t{each.dead} << 1 |
          std::uint64_t{each.sleeps_on != nullptr});
      put(each.buffer.size());
      put(std::hash<std::string>{}(each.outcome));
      put(each.kept);
      put(each.results.size());
      for (const std::uint64_t result : each.results) put(result);
    }
    put(static_cast<std::uint64_t>(deaths) << 8 | static_cast<std::uint64_t>(early_naps));
    return seen_.insert(key).second;
  }

  // Runs the thread's code up to its next step, or to its end.
  void look_ahead(std::size_t index) {
    Progress& thread = all_[index];
    thread.next.reset();
    while (!thread.finished && !thread.next) {
      std::uint64_t kept = thread.kept;
      ModelAtomics atomics(thread.results, threads_[index].fault);
      try {
        const auto outcome = threads_[index].turn(atomics, *memory_, kept);
        thread.kept = kept;
        thread.results.clear();
        thread.finished = outcome.has_value();
        thread.outcome = outcome.value_or("");
      } catch (const ModelAtomics::Pending& pending) {
        thread.next = pending.step;
      }
    }
  }

  bool has_ended(int process) const {
    for (std::size_t i = 0; i < all_.size(); ++i)
      if (threads_[i].process == process && !all_[i].finished && !all_[i].dead) return false;
    return true;
  }
  bool can_go_on(std::size_t index) const {
    const Progress& thread = all_[index];
    const int before = threads_[index].begins_after;
    return !thread.dead && !thread.finished && thread.sleeps_on == nullptr &&
           (before == 0 || has_ended(before));
  }

  void set(Word& word, std::uint64_t value) {
    word.store(value);
    for (const Cell* cell : {&page().doorbell, &page().answer})
      if (&word == &cell->sequence) written_.emplace_back(cell, in_force(*cell));
  }
  void drain(Progress& thread) {
    for (const auto& [word, value] : thread.buffer) set(*word, value);
    thread.buffer.clear();
  }

  void make(std::size_t index) {
    Progress& thread = all_[index];
    const Fault fault = threads_[index].fault;
    const Step step = *thread.next;
    std::uint64_t result = 0;
    if (step.kind != Step::Kind::load) drain(thread);
    switch (step.kind) {
      case Step::Kind::load:
        result = step.word->load();
        for (const auto& [word, value] : thread.buffer)
          if (word == step.word) result = value;
        break;
      case Step::Kind::store:
        if (fault == Fault::buffered_stores)
          thread.buffer.emplace_back(step.word, step.value);
        else
          set(*step.word, step.value);
        break;
      case Step::Kind::add:
        set(*step.word, step.word->load() + step.value);
        break;
      case Step::Kind::sleep:
        if (fault == Fault::sleep_unconditional ||
            static_cast<std::uint32_t>(step.word->load()) == step.value)
          thread.sleeps_on = step.word;
        break;
      case Step::Kind::wake:
        for (Progress& other : all_)
          if (other.sleeps_on == step.word) other.sleeps_on = nullptr;
        break;
    }
    thread.results.push_back(result);
    look_ahead(index);
  }

  void fail(const std::string& what) {
    if (!problem_.empty() || what.empty()) return;
    problem_ = what + "\n";
    for (const Move& each : path_) problem_ += "  " + described(each) + "\n";
  }

  template <class Change>
  void branch(const Move& move, const Change& change) {
    if (!problem_.empty()) return;
    Saved saved = save();
    path_.push_back(move);
    change();
    explore();
    path_.pop_back();
    restore(std::move(saved));
  }

  std::string described(const Move& move) const {
    static const char* const kKinds[] = {"loads", "stores", "adds", "sleeps if", "wakes"};
    std::string text = threads_[move.thread].name + " " + move.what;
    if (!move.step) return text;
    const auto at = reinterpret_cast<const char*>(move.step->word) -
                    reinterpret_cast<const char*>(memory_.get());
    return text + kKinds[static_cast<int>(move.step->kind)] + " @" + std::to_string(at) + " " +
           std::to_string(move.step->value);
  }

  void explore() {
    if (!problem_.empty() || !is_new()) return;
    bool goes_on = false;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (can_go_on(i)) {
        goes_on = true;
        branch({"", i, all_[i].next}, [this, i] { make(i); });
      }
      if (!all_[i].buffer.empty()) {
        goes_on = true;
        branch({"has its stores seen", i, {}}, [this, i] { drain(all_[i]); });
      }
      if (deaths > 0 && !has_ended(threads_[i].process) && leads_process(i))
        branch({"and its process die", i, {}}, [this, i] { kill(i); });
      if (early_naps > 0 && sleeps(i))
        branch({"wakes by itself", i, {}}, [this, i] {
          --early_naps;
          all_[i].sleeps_on = nullptr;
        });
    }
    if (!goes_on) be_quiet();
  }

  bool leads_process(std::size_t index) const {
    for (std::size_t i = 0; i < index; ++i)
      if (threads_[i].process == threads_[index].process) return false;
    return true;
  }
  void kill(std::size_t index) {
    --deaths;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (threads_[i].process != threads_[index].process || all_[i].finished) continue;
      all_[i].dead = true;
      all_[i].sleeps_on = nullptr;
      all_[i].buffer.clear();
    }
  }

  // Nobody can go on. Either everybody is done, or the naps end and time is over.
  void be_quiet() {
    bool all_done = true;
    for (const Progress& each : all_) all_done &= each.finished || each.dead;
    if (all_done) {
      for (std::size_t i = 0; i < all_.size(); ++i)
        if (all_[i].finished) ++outcomes_[std::to_string(i) + all_[i].outcome];
      return fail(at_end(*this));
    }
    fail(when_quiet(*this));
    if (memory_->time_is_over.load() != 0)
      return fail("somebody sleeps although time is over and every nap has ended");
    branch({"and everybody: the naps end, time is over", 0, {}}, [this] {
      memory_->time_is_over.store(1);
      for (Progress& each : all_) each.sleeps_on = nullptr;
    });
  }

  struct PairHash {
    std::size_t operator()(const std::pair<std::uint64_t, std::uint64_t>& key) const {
      return key.first;
    }
  };

  const std::vector<ModelThread> threads_;
  std::unique_ptr<Memory> memory_ = std::make_unique<Memory>();
  std::vector<Progress> all_;
  std::vector<std::pair<const Cell*, Entry>> written_;
  std::vector<Move> path_;
  std::string problem_;
  std::unordered_set<std::pair<std::uint64_t, std::uint64_t>, PairHash> seen_;
  std::unordered_map<std::string, std::size_t> outcomes_;
};

}  // namespace binlane::shim_page
