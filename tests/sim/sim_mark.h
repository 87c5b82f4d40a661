// SimMark: a DurableMark of a simulated host, whose disk may fail.
#pragma once

#include <cerrno>
#include <functional>
#include <string>
#include <utility>

#include "storage/durable_mark.h"

namespace binlane::sim {

class SimMark final : public DurableMark {
 public:
  // While `failing()`, nothing reaches the disk.
  SimMark(std::string name, std::function<bool()> failing)
      : name_(std::move(name)), failing_(std::move(failing)) {}

  bool is_set() const override { return set_; }
  int set() override {
    const int error = write(true);
    missing_ = error != 0;
    return error;
  }
  int clear() override { return write(false); }
  // It should have been set, and its disk did not take that.
  bool is_missing() const { return missing_; }
  const std::string& path() const override { return name_; }

 private:
  int write(bool value) {
    if (failing_() && value != set_) return EIO;
    set_ = value;
    return 0;
  }

  std::string name_;
  const std::function<bool()> failing_;
  bool set_ = false;
  bool missing_ = false;
};

}  // namespace binlane::sim
