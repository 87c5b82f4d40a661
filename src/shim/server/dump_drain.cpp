#include "shim/server/dump_drain.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"

namespace binlane {
namespace {

// How often a wait for the lane to return the descriptor checks again.
constexpr std::uint64_t kReleasePollMs = 1;
// A lane that took no turn for this long after stop() has ended without detach(). Then the
// descriptor is left open for ever rather than closed while the lane may use it.
constexpr std::uint64_t kReleaseBoundMs = 5000;
// While control says "not now".
constexpr std::uint64_t kHoldPollMs = 20;
// The same reason is not logged again sooner than this.
constexpr std::uint64_t kRepeatNs = 60 * kNanosPerSecond;

// MySQL goes by the uuid, which only another Binlane makes as we do; see acker_uuid().
std::string kicked_text(ServerFlavour flavour, std::uint32_t server_id) {
  return flavour == ServerFlavour::mariadb
             ? fmt::format(
                   "kicked out: another replica registered with our server_id {} "
                   "(source.acker_server_id); give one of them another",
                   server_id)
             : fmt::format(
                   "kicked out: another binlaned is connected to this server with our "
                   "source.acker_server_id {}; stop it, or give it another",
                   server_id);
}

}  // namespace

const char* to_string(DrainState state) noexcept {
  switch (state) {
    case DrainState::stopped:
      return "stopped";
    case DrainState::connecting:
      return "connecting";
    case DrainState::holding:
      return "holding";
    case DrainState::registering:
      return "registering";
    case DrainState::draining:
      return "draining";
    case DrainState::backing_off:
      return "backing off";
  }
  return "unknown";
}

DumpDrain::DumpDrain(DumpDrainOptions options, Register decide)
    : options_(std::move(options)), decide_(std::move(decide)) {
  BL_ASSERT(options_.backoff_min_ms > 0 && options_.backoff_min_ms <= options_.backoff_max_ms);
  backoff_ms_ = options_.backoff_min_ms;
}

DumpDrain::~DumpDrain() {
  stop();
}

void DumpDrain::start() {
  BL_ASSERT(!thread_.joinable());
  stopping_ = false;
  thread_ = std::thread([this] { run(); });
}

void DumpDrain::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (stream_ != nullptr) stream_->interrupt();
  }
  wake_.notify_all();
  thread_.join();
}

void DumpDrain::retry_now() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_all();
}

void DumpDrain::reconnect() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    if (stream_ != nullptr) stream_->interrupt();
  }
  wake_.notify_all();
}

void DumpDrain::run() {
  for (;;) {
    const bool served = serve_one_connection();
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
    }
    if (served) backoff_ms_ = options_.backoff_min_ms;
    set_state(DrainState::backing_off);
    if (!wait(backoff_ms_)) break;
    backoff_ms_ = std::min(backoff_ms_ * 2, options_.backoff_max_ms);
  }
  set_state(DrainState::stopped);
}

// True: bytes arrived on the connection, so the next failure begins a new series of attempts.
bool DumpDrain::serve_one_connection() {
  auto stream = std::make_unique<DumpStream>(options_.account, options_.stream);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    stream_ = stream.get();
    status_.state = DrainState::connecting;
    ++status_.attempts;
  }
  const auto forget = [this] {
    const std::lock_guard lock(mutex_);
    stream_ = nullptr;
  };

  DumpError error = stream->connect();
  bool flowed = false;
  std::optional<Registration> registration;
  if (error.ok()) {
    registration = decide_(stream->facts().run);
    if (!registration) {
      // The facts become old while control is busy, so the next attempt reads them again.
      set_state(DrainState::holding, "it is not known yet where the stream begins at the server");
      forget();
      wait(kHoldPollMs);
      return true;
    }
    if (retreat_) registration->start.offset = kBinlogMagicSize;
    set_state(DrainState::registering);
    error = stream->begin(registration->start);
  }
  if (error.ok()) flowed = drain(*stream, registration->incarnation, error);
  if (error.ok()) error = {DumpErrorKind::closed, 0, "interrupted"};
  note_end(error, *stream);
  if (!take_socket_back()) {
    // Never closed: the lane may still write into it.
    forget();
    static_cast<void>(stream.release());
    return flowed;
  }
  forget();
  stream->close();
  return flowed;
}

bool DumpDrain::drain(DumpStream& stream, std::uint32_t incarnation, DumpError& error) {
  DumpEvent event;
  error = stream.next(event);
  if (!error.ok()) return false;
  // The first event says that the server has registered us; ACKs have an effect only from now on.
  if (event.type != EventType::rotate || event.next.file != stream.start().file) {
    error = {DumpErrorKind::malformed, 0, "the dump does not begin at the file asked for"};
    return false;
  }
  retreat_ = false;
  said_.clear();
  dump_position_.store({});
  generation_ = ack_socket_.offer(stream.socket_fd(), incarnation);
  {
    const std::lock_guard lock(mutex_);
    status_.state = DrainState::draining;
    status_.reason.clear();
    status_.error_code = 0;
    status_.start = stream.start();
    status_.generation = generation_;
    status_.incarnation = incarnation;
    ++status_.connections;
  }
  log::info("dump_connected", "registered as a semi-sync replica (server_id {}) at {}",
            options_.stream.server_id,
            binlog_file_name(binlog_base_name(stream.facts()), stream.start().file) + ":" +
                std::to_string(stream.start().offset));
  while (error.ok()) {
    on_event(event);
    bytes_.store(bytes_base_ + stream.bytes_read(), std::memory_order_relaxed);
    error = stream.next(event);
  }
  bytes_base_ += stream.bytes_read();
  return true;
}

void DumpDrain::on_event(const DumpEvent& event) {
  const auto count = [](std::atomic<std::uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  };
  count(events_);
  if (event.heartbeat) count(heartbeats_);
  // Artificial events may have the flag too, but then it asks for nothing that could be
  // acknowledged.
  if (event.ack_wanted && !event.artificial) {
    count(acks_wanted_);
    wanted_ = {event.end, generation_};
  }
  if (!wanted_.end.is_null()) {
    if (queue_.try_push(wanted_)) {
      wanted_ = {};
    } else {
      count(queue_full_);
    }
  }
  if (proves_synced(event)) dump_position_.store(event.end);
}

bool DumpDrain::take_socket_back() {
  ack_socket_.revoke();
  std::uint64_t waited_ms = 0;
  while (!ack_socket_.is_released()) {
    std::unique_lock lock(mutex_);
    if (stopping_ && waited_ms >= kReleaseBoundMs) {
      log::error("dump_socket_held",
                 "the lane did not return the dump connection, which is left open");
      return false;
    }
    wake_.wait_for(lock, std::chrono::milliseconds(kReleasePollMs));
    if (stopping_) waited_ms += kReleasePollMs;
  }
  wanted_ = {};
  return true;
}

void DumpDrain::note_end(const DumpError& error, const DumpStream& stream) {
  const bool kicked = is_namesake(error);
  std::string reason = error.text;
  if (kicked) reason = kicked_text(stream.facts().flavour, options_.stream.server_id);
  // The asked position is not in the server's file, or not at an event's beginning. The file's
  // beginning claims less, and always exists.
  const bool bad_start = error.code == kErrorFatalReadingBinlog && !kicked && !retreat_ &&
                         stream.start().offset > kBinlogMagicSize;
  bool stopping = false;
  {
    const std::lock_guard lock(mutex_);
    status_.reason = reason;
    status_.error_code = error.code;
    if (kicked) ++status_.kicked_out;
    if (bad_start) ++status_.start_retreats;
    stopping = stopping_;
  }
  if (bad_start) retreat_ = true;
  if (stopping) return;
  if (kicked) {
    log::error("dump_kicked_out", "{}", reason);
  } else {
    // If the same reason repeats, while the server is away or log_bin is OFF, it is logged once a
    // minute.
    const std::uint64_t now_ns = monotonic_ns();
    if (reason == said_ && now_ns < said_ns_ + kRepeatNs) return;
    said_ = reason;
    said_ns_ = now_ns;
    if (error.code == 0)
      log::warning("dump_ended", "dump connection: {}", reason);
    else
      log::warning("dump_ended", "dump connection: {} (code {})", reason, error.code);
  }
}

void DumpDrain::set_state(DrainState state, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  status_.state = state;
  if (!reason.empty()) status_.reason = reason;
}

// False: stopping.
bool DumpDrain::wait(std::uint64_t duration_ms) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::milliseconds(duration_ms),
                 [this] { return stopping_ || woken_; });
  woken_ = false;
  return !stopping_;
}

DrainStatus DumpDrain::status() const {
  DrainStatus status;
  {
    const std::lock_guard lock(mutex_);
    status = status_;
  }
  status.position = dump_position_.load();
  status.events = events_.load(std::memory_order_relaxed);
  status.bytes = bytes_.load(std::memory_order_relaxed);
  status.heartbeats = heartbeats_.load(std::memory_order_relaxed);
  status.acks_wanted = acks_wanted_.load(std::memory_order_relaxed);
  status.queue_full = queue_full_.load(std::memory_order_relaxed);
  return status;
}

}  // namespace binlane
