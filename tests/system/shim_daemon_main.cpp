// A daemon's side of the shared page, for tests of a plugin: it has a quorum of everything at once,
// or of nothing, as standard input says, line by line:
//   answer   a quorum has whatever the server has written
//   hold     no quorum has anything from now on
//   degrade  and no commit shall wait for it
// Each line is answered by one, as JSON: what the page says when the line was carried out.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <string>

#include "base/clock.h"
#include "binlane/shim_page_file.h"

namespace binlane::shim_page {
namespace {

constexpr std::uint64_t kNapNs = 5 * kNanosPerMilli;

class FakeDaemon {
 public:
  explicit FakeDaemon(Page& page) : page_(page) {
    begin_daemon(atomics_, page_, static_cast<std::uint64_t>(::getpid()));
    beat(atomics_, page_, monotonic_ns());
    if (const auto last = read(atomics_, page_.answer)) said_ = last->entry;
  }

  void turn() {
    beat(atomics_, page_, monotonic_ns());
    const auto rung = read(atomics_, page_.doorbell);
    if (!rung) return;
    Entry entry = said_;
    entry.orders = orders_;
    // An answer is in the server's incarnation, even if a quorum has nothing of it.
    if (rung->entry.place.incarnation != entry.place.incarnation)
      entry.place = {rung->entry.place.incarnation, 0, 0};
    if (answers_) entry.place = rung->entry.place;
    if (entry != said_) answer(atomics_, page_, entry);
    said_ = entry;
    sleep_until_rung(atomics_, page_, rung->sequence, kNapNs);
  }

  // False if it does not know the word.
  bool obey(const std::string& word) {
    if (word != "answer" && word != "hold" && word != "degrade") return false;
    answers_ = word == "answer";
    orders_.state = word == "degrade" ? State::do_not_wait : State::wait;
    turn();
    return true;
  }

  void tell() {
    const auto rung = read(atomics_, page_.doorbell);
    const Settings settings = Settings::unpack(page_.server.settings.load());
    std::printf(
        "{\"incarnation\": %u, \"file\": %u, \"offset\": %llu, \"server\": %llu, "
        "\"exposed\": %llu, \"enabled\": %d, \"on\": %d, \"timeout_ms\": %u}\n",
        rung->entry.place.incarnation, rung->entry.place.file,
        static_cast<unsigned long long>(rung->entry.place.offset),
        static_cast<unsigned long long>(page_.server.pid.load()),
        static_cast<unsigned long long>(page_.server.exposed.load()), int{settings.enabled},
        int{settings.on}, settings.timeout_ms);
    std::fflush(stdout);
  }

 private:
  Page& page_;
  HardwareAtomics atomics_;
  Entry said_;
  Orders orders_{State::wait, WaitPoint::unsaid, 1, 0};
  bool answers_ = false;
};

int run(const char* path) {
  const auto opened = PageFile::open(path, Side::daemon);
  if (!opened.file) {
    std::cerr << opened.problem << "\n";
    return 1;
  }
  FakeDaemon daemon(opened.file->page());
  for (;;) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, 0) == 1) {
      std::string word;
      if (!std::getline(std::cin, word)) return 0;
      if (!daemon.obey(word)) return 2;
      daemon.tell();
    }
    daemon.turn();
  }
}

}  // namespace
}  // namespace binlane::shim_page

int main(int argument_count, char** arguments) {
  return argument_count == 2 ? binlane::shim_page::run(arguments[1]) : 2;
}
