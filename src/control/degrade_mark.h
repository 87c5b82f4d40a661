// DegradeMark: that an operator asked for `binlane degrade` and nobody has resumed since, as a
// file.
//
// Without it a restart of binlaned, or of the server, would end what was to last until `resume`. It
// ends with the host's time as the source. Source's control thread.
#pragma once

#include <string>

namespace binlane {

class DegradeMark {
 public:
  // Looks whether the file is there.
  explicit DegradeMark(const std::string& data_dir);

  bool stands() const noexcept { return stands_; }
  // Durable when they return 0; otherwise an errno.
  [[nodiscard]] int leave();
  [[nodiscard]] int remove();

  const std::string& path() const noexcept { return path_; }

 private:
  std::string directory_;
  std::string path_;
  bool stands_ = false;
};

}  // namespace binlane
