// DurableMark: one thing that is so or is not so, and survives a power cut. FileMark keeps it as a
// file that is there or not. Ordinary threads.
#pragma once

#include <string>

namespace binlane {

class DurableMark {
 public:
  DurableMark() = default;
  DurableMark(const DurableMark&) = delete;
  DurableMark& operator=(const DurableMark&) = delete;
  virtual ~DurableMark() = default;

  virtual bool is_set() const = 0;
  // Durable when they return 0; otherwise an errno, and they may be called again.
  [[nodiscard]] virtual int set() = 0;
  [[nodiscard]] virtual int clear() = 0;
  // Where it is, for people.
  virtual const std::string& path() const = 0;
};

class FileMark final : public DurableMark {
 public:
  // Looks whether the file is there.
  FileMark(const std::string& directory, const std::string& name);

  bool is_set() const override { return set_; }
  int set() override;
  int clear() override;
  const std::string& path() const override { return path_; }

 private:
  std::string directory_;
  std::string path_;
  bool set_ = false;
};

}  // namespace binlane
