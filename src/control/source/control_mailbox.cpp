#include "control/source/control_mailbox.h"

#include <chrono>
#include <utility>

#include "base/assert.h"

namespace binlane {
namespace {

// Less than a client of the admin socket waits. A turn that waits for the server may take longer.
constexpr std::chrono::seconds kCallTimeout{4};

}  // namespace

Status ControlMailbox::call(Work work) {
  auto call = std::make_shared<ControlCall>();
  call->work = std::move(work);
  std::unique_lock lock(mutex_);
  if (closed_) return Status::failed("this binlaned is stopping");
  if (calls_.size() == kMaxCalls)
    return Status::failed("too many requests wait for the control thread; try again");
  calls_.push_back(call);
  wake_.notify_all();
  if (answered_.wait_for(lock, kCallTimeout, [&] { return call->done; })) return call->answer;
  std::erase(calls_, call);
  return Status::failed(
      call->taken ? "the request is still being carried out; the status will show its result"
                  : "the control thread was busy with the server, and nothing was done; try again");
}

void ControlMailbox::wake() {
  wake_.notify_all();
}

void ControlMailbox::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake_.notify_all();
}

bool ControlMailbox::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

void ControlMailbox::serve(const std::function<void()>& after) {
  std::vector<std::shared_ptr<ControlCall>> calls;
  {
    const std::lock_guard lock(mutex_);
    calls.swap(calls_);
    for (const auto& call : calls) call->taken = true;
  }
  BL_ASSERT(calls.size() <= kMaxCalls);
  for (const auto& call : calls) {
    Status answer = call->work();
    BL_ASSERT(!answer.is_pending());
    after();
    const std::lock_guard lock(mutex_);
    call->answer = std::move(answer);
    call->done = true;
    answered_.notify_all();
  }
}

bool ControlMailbox::wait(std::uint64_t length_ns) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::nanoseconds(length_ns), [this] { return closed_; });
  return !closed_;
}

}  // namespace binlane
