// PageFile: the file of the shared page (shim_page.h), opened and held by one side.
// SPDX-License-Identifier: BSD-3-Clause
//
// Whichever side comes first creates the file. It gets its name only when it is complete, so that
// nobody ever sees a half of it. Each side holds a lock on one byte of the file, which the kernel
// releases when the process ends, however that happens: a second server, or a second daemon, is
// refused. The folder should be on a memory file system, such as /run, and writable only for the
// two processes: whoever truncates the file kills the server (SIGBUS).
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "binlane/shim_page.h"

namespace binlane::shim_page {

inline constexpr mode_t kFileMode = 0660;

enum class Side : std::uint8_t { server = 0, daemon = 1 };

class PageFile {
 public:
  struct Result {
    std::unique_ptr<PageFile> file;
    std::string problem;  // why there is none, for people
  };

  // Opens the page of this path for one side, and creates it if there is none.
  static Result open(const std::string& path, Side side) {
    // Twice: another process may create the file, or remove it, meanwhile.
    for (int attempt = 0; attempt < 2; ++attempt) {
      Result result = open_existing(path, side);
      if (result.file || errno != ENOENT) return result;
      if (std::string problem = create(path); !problem.empty()) return {nullptr, problem};
    }
    return open_existing(path, side);
  }

  PageFile(const PageFile&) = delete;
  PageFile& operator=(const PageFile&) = delete;
  ~PageFile() {
    ::munmap(page_, kFileBytes);
    ::close(descriptor_);  // this is what releases the lock
  }

  Page& page() noexcept { return *page_; }

 private:
  PageFile(Page* page, int descriptor) noexcept : page_(page), descriptor_(descriptor) {}

  static std::string system_problem(const char* what, const std::string& path) {
    return std::string(what) + " " + path + ": " + std::strerror(errno);
  }

  // With errno = ENOENT exactly if there is no such file.
  static Result open_existing(const std::string& path, Side side) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) {
      const int error = errno;
      Result result{nullptr, system_problem("cannot open", path)};
      errno = error;
      return result;
    }
    Page* page = nullptr;
    std::string problem = check(descriptor, path);
    if (problem.empty()) {
      void* const memory =
          ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
      if (memory == MAP_FAILED)
        problem = system_problem("cannot map", path);
      else
        page = static_cast<Page*>(memory);
    }
    if (page != nullptr && !lock(descriptor, side)) {
      problem = taken(path, side, *page);
      ::munmap(page, kFileBytes);
    }
    if (problem.empty()) return {std::unique_ptr<PageFile>(new PageFile(page, descriptor)), ""};
    ::close(descriptor);
    errno = 0;
    return {nullptr, problem};
  }

  // What is wrong with an open file; empty: nothing.
  static std::string check(int descriptor, const std::string& path) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return system_problem("cannot look at", path);
    if (!S_ISREG(status.st_mode)) return path + " is not a file";
    Header header{0, 0, 0};
    const ssize_t length = ::pread(descriptor, &header, sizeof header, 0);
    if (length < static_cast<ssize_t>(sizeof header) || header.magic != kMagic)
      return path + " is not a page of Binlane's shim: remove it, or choose another path";
    if (header.version != kVersion)
      return path + " has version " + std::to_string(header.version) +
             " of the page, and this is " + "version " + std::to_string(kVersion) +
             ": install the same version of Binlane for the server and for binlaned, stop both, " +
             "and remove the file";
    if (header.bytes != sizeof(Page) || status.st_size < static_cast<off_t>(kFileBytes))
      return path + " is damaged: it has the size of another page; stop both and remove it";
    return "";
  }

  static bool lock(int descriptor, Side side) {
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    range.l_start = static_cast<off_t>(side);
    range.l_len = 1;
    return ::fcntl(descriptor, F_OFD_SETLK, &range) == 0;
  }

  static std::string taken(const std::string& path, Side side, const Page& page) {
    const bool is_server = side == Side::server;
    const std::uint64_t pid = (is_server ? page.server.pid : page.daemon.pid).load();
    return std::string("another ") + (is_server ? "server" : "binlaned") + " (process " +
           std::to_string(pid) + ") uses " + path + ": give each its own page";
  }

  // Makes a complete file under another name, and then gives it this one if it is still free.
  static std::string create(const std::string& path) {
    const std::string unfinished = path + ".new." + std::to_string(::getpid());
    ::unlink(unfinished.c_str());  // of a process that died here, and whose number we have
    const int descriptor =
        ::open(unfinished.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kFileMode);
    if (descriptor < 0) return system_problem("cannot create", unfinished);
    Header header;
    header.bytes = sizeof(Page);
    // The space is allocated now: a full file system would kill whoever writes to the page later.
    std::string problem;
    if (const int error = ::posix_fallocate(descriptor, 0, kFileBytes); error != 0) {
      errno = error;
      problem = system_problem("cannot allocate", unfinished);
    } else if (::pwrite(descriptor, &header, sizeof header, 0) != sizeof header) {
      problem = system_problem("cannot write", unfinished);
    } else if (::fchmod(descriptor, kFileMode) != 0) {
      problem = system_problem("cannot set the mode of", unfinished);
    } else if (::link(unfinished.c_str(), path.c_str()) != 0 && errno != EEXIST) {
      problem = system_problem("cannot create", path);
    }
    ::close(descriptor);
    ::unlink(unfinished.c_str());
    return problem;
  }

  Page* page_;
  int descriptor_;
};

}  // namespace binlane::shim_page
