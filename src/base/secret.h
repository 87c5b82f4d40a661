// Secret: a password in memory. It has no implicit conversion and no formatter, so that it cannot
// slip into a log line or a printed configuration; its bytes are overwritten when it goes away.
#pragma once

#include <string.h>

#include <string>
#include <utility>

namespace binlane {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other) {
    if (this != &other) {
      wipe();
      text_ = other.text_;
    }
    return *this;
  }
  ~Secret() { wipe(); }

  bool empty() const noexcept { return text_.empty(); }
  // The one way to the text; for the call that hands it to a server.
  const std::string& reveal() const noexcept { return text_; }

 private:
  void wipe() noexcept { ::explicit_bzero(text_.data(), text_.size()); }

  std::string text_;
};

}  // namespace binlane
