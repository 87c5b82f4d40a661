// Status and Result: how a function says that it did not do what it was asked to do.
//
// A Status is one of three: ok; pending, which means that nothing is wrong and that the caller asks
// again later; failed, with a text for the operator that says what went wrong. A Result<T> is a
// value, or a Status that is not ok. Both must be looked at ([[nodiscard]]). Exceptions are for
// starting up, assertions for our own mistakes; everything else that can go wrong goes this way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/assert.h"

namespace binlane {

class [[nodiscard]] Status {
 public:
  enum class Code : std::uint8_t { ok, pending, failed };

  Status() = default;
  static Status ok() { return {}; }
  // Not done yet, and nothing is wrong.
  static Status pending() { return Status(Code::pending, {}); }
  // `text` says what went wrong and never is empty.
  static Status failed(std::string text) {
    BL_ASSERT(!text.empty());
    return Status(Code::failed, std::move(text));
  }

  // Of what says it with a text that is empty on success.
  static Status of_problem(std::string text) {
    return text.empty() ? ok() : failed(std::move(text));
  }

  Code code() const noexcept { return code_; }
  bool is_ok() const noexcept { return code_ == Code::ok; }
  bool is_pending() const noexcept { return code_ == Code::pending; }
  bool is_failed() const noexcept { return code_ == Code::failed; }
  // What went wrong; empty unless it has failed.
  const std::string& text() const noexcept { return text_; }

  bool operator==(const Status&) const = default;

 private:
  Status(Code code, std::string text) : code_(code), text_(std::move(text)) {}

  Code code_ = Code::ok;
  std::string text_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(*-explicit-*)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(*-explicit-*)
    BL_ASSERT(!status_.is_ok());
  }

  bool is_ok() const noexcept { return value_.has_value(); }
  const Status& status() const noexcept { return status_; }
  // Only of one that is ok.
  T& value() noexcept {
    BL_ASSERT(value_);
    return *value_;
  }
  const T& value() const noexcept {
    BL_ASSERT(value_);
    return *value_;
  }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace binlane
