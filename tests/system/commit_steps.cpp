// Preloaded into a MariaDB server that makes the binlog of a large transaction out of the file of
// its cache: it pauses the committing thread after one of the steps, or kills the server there.
//
// BINLANE_COMMIT_KILL_AT=<step>   kill -9 when that step is done
// BINLANE_COMMIT_PAUSE_MS=<n>     rest for so long after each step
// BINLANE_COMMIT_STEPS=<file>     the steps that were done, a line for each
//
// The steps are recognised by the server's system calls, in their order, by the one thread that
// commits. Every call does what it always does.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr size_t kHeadSize = 4096;
constexpr off_t kInUseOffset = 21;

enum class Step {
  none,
  synced,    // the cache's file
  created,   // an empty file has the next binlog's name
  unlinked,  // and is gone
  renamed,   // the cache's file has that name, and begins with zeros
  headed,    // and has its head
  listed,    // and is in the index
  cleared,   // the binlog before is marked as no longer in use
  ended,     // the last event is written
};
constexpr const char* kNames[] = {"none",   "synced", "created", "unlinked", "renamed",
                                  "headed", "listed", "cleared", "ended"};

// Of the large transaction that this thread commits.
thread_local Step reached = Step::none;
thread_local int cache_file = -1;  // open on what the next binlog is made of

template <class Function>
Function* next_function(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool is_cache(const char* path) {
  return path != nullptr && strstr(path, "#binlog_cache_files/ML_") != nullptr;
}

// "…/binlog.000017"
bool is_binlog(const char* path) {
  const char* const dot = path == nullptr ? nullptr : strrchr(path, '.');
  return dot != nullptr && strlen(dot + 1) >= 6 && strspn(dot + 1, "0123456789") == strlen(dot + 1);
}

bool file_is(int file, const char* end, bool cache) {
  char link[64];
  char path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return false;
  path[length] = '\0';
  if (cache) return is_cache(path);
  return static_cast<size_t>(length) >= strlen(end) &&
         strcmp(path + length - strlen(end), end) == 0;
}

void note(const char* name) {
  const char* const path = getenv("BINLANE_COMMIT_STEPS");
  if (path == nullptr) return;
  static auto* const real_open = next_function<int(const char*, int, ...)>("open");
  static auto* const real_write = next_function<ssize_t(int, const void*, size_t)>("write");
  const int file = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  char line[32];
  const int length = snprintf(line, sizeof line, "%s\n", name);
  if (file >= 0 && real_write(file, line, static_cast<size_t>(length)) != length) abort();
  if (file >= 0) close(file);
}

void done(Step step) {
  reached = step;
  const char* const name = kNames[static_cast<int>(step)];
  note(name);
  const char* const at = getenv("BINLANE_COMMIT_KILL_AT");
  if (at != nullptr && strcmp(at, name) == 0) raise(SIGKILL);
  const char* const pause = getenv("BINLANE_COMMIT_PAUSE_MS");
  if (pause == nullptr) return;
  const long ms = atol(pause);
  const timespec length{ms / 1000, ms % 1000 * 1'000'000};
  nanosleep(&length, nullptr);
}

int opened(int file, const char* path, int flags) {
  if (file < 0) return file;
  if (reached == Step::synced && (flags & O_CREAT) != 0 && is_binlog(path))
    done(Step::created);
  else if (reached == Step::created && is_cache(path))
    cache_file = file;
  return file;
}

}  // namespace

extern "C" {

// Both names, because a program asks for one or the other.
int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  static auto* const real = next_function<int(const char*, int, ...)>("open");
  return opened(real(path, flags, mode), path, flags);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  static auto* const real = next_function<int(const char*, int, ...)>("open64");
  return opened(real(path, flags, mode), path, flags);
}

int fdatasync(int file) {
  static auto* const real = next_function<int(int)>("fdatasync");
  const int result = real(file);
  if (result != 0) return result;
  if (file_is(file, "", true)) {
    reached = Step::none;
    done(Step::synced);
  } else if (reached == Step::headed && file_is(file, ".index", false)) {
    done(Step::listed);
  }
  return result;
}

int unlink(const char* path) {
  static auto* const real = next_function<int(const char*)>("unlink");
  const int result = real(path);
  if (result == 0 && reached == Step::created && is_binlog(path)) done(Step::unlinked);
  return result;
}

int rename(const char* from, const char* to) {
  static auto* const real = next_function<int(const char*, const char*)>("rename");
  const int result = real(from, to);
  if (result == 0 && reached == Step::unlinked && is_cache(from)) done(Step::renamed);
  return result;
}

ssize_t write(int file, const void* bytes, size_t size) {
  static auto* const real = next_function<ssize_t(int, const void*, size_t)>("write");
  const ssize_t result = real(file, bytes, size);
  if (result <= 0) return result;
  if (reached == Step::renamed && size == kHeadSize)
    done(Step::headed);
  else if (reached == Step::cleared && file == cache_file)
    done(Step::ended);
  return result;
}

static ssize_t written_at(ssize_t result, size_t size, off_t offset) {
  if (result == 1 && size == 1 && offset == kInUseOffset && reached == Step::listed)
    done(Step::cleared);
  return result;
}

ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
  static auto* const real = next_function<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  return written_at(real(file, bytes, size, offset), size, offset);
}

ssize_t pwrite64(int file, const void* bytes, size_t size, off_t offset) {
  static auto* const real = next_function<ssize_t(int, const void*, size_t, off_t)>("pwrite64");
  return written_at(real(file, bytes, size, offset), size, offset);
}

}  // extern "C"
