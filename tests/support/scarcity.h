// The kernel has none left, for as long as one of these lives: descriptors, threads. What is open,
// and what runs, goes on.
#pragma once

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace binlane {

// Every call that would make a descriptor fails with EMFILE, also where others are closed
// meanwhile. poll(2) fails as well (EINVAL): not for threads that poll.
class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit none = before_;
    none.rlim_cur = 0;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

// All descriptors are taken.
class AllDescriptorsTaken {
 public:
  AllDescriptorsTaken() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit full = before_;
    full.rlim_cur = 3;
    for (const auto& open : std::filesystem::directory_iterator("/proc/self/fd"))
      full.rlim_cur = std::max<rlim_t>(full.rlim_cur, std::stoul(open.path().filename()) + 1);
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &full), 0);
    for (int filler = ::dup(STDERR_FILENO); filler >= 0; filler = ::dup(STDERR_FILENO))
      fillers_.push_back(filler);
  }
  ~AllDescriptorsTaken() {
    for (const int filler : fillers_) ::close(filler);
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0);
  }
  AllDescriptorsTaken(const AllDescriptorsTaken&) = delete;
  AllDescriptorsTaken& operator=(const AllDescriptorsTaken&) = delete;

 private:
  rlimit before_{};
  std::vector<int> fillers_;
};

// No thread starts (EAGAIN), because each would get a stack that there is no room for.
class NoThreads {
 public:
  NoThreads() {
    pthread_attr_t endless;
    EXPECT_EQ(::pthread_getattr_default_np(&before_), 0);
    EXPECT_EQ(::pthread_attr_init(&endless), 0);
    EXPECT_EQ(::pthread_attr_setstacksize(&endless, kMoreThanThereIs), 0);
    EXPECT_EQ(::pthread_setattr_default_np(&endless), 0);
    ::pthread_attr_destroy(&endless);
  }
  ~NoThreads() {
    EXPECT_EQ(::pthread_setattr_default_np(&before_), 0);
    ::pthread_attr_destroy(&before_);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  static constexpr std::size_t kMoreThanThereIs = std::size_t{1} << 47;
  pthread_attr_t before_{};
};

}  // namespace binlane
