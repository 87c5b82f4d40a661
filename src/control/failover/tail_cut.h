// TailCut: cuts the tail that no other host has off a stopped server's binlogs, in steps. A power
// cut may come after each of them.
//
// First it changes the index, so that a server knows no file after the cut. Then it renames those
// files to <name>.cut. Last it truncates the file that contains the cut. The cut is on record
// before the first step (RoleState::cut), and run() continues where the last one ended, by what it
// finds already done. A server that was started in between has committed what was to be cut; its
// files show that, and the cut is refused. Source's control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/position.h"
#include "control/failover/cut_record.h"

namespace binlane {

// The file operations, replaceable so that tests can end in the middle of them. Each returns 0 or
// an errno.
class CutFiles {
 public:
  virtual ~CutFiles() = default;
  virtual bool exists(const std::string& path) = 0;
  virtual std::optional<std::uint64_t> size(const std::string& path) = 0;
  virtual int read(const std::string& path, std::string& text) = 0;
  // Replaces the text in one step, durable, with the owner of the previous file.
  virtual int replace(const std::string& path, const std::string& text) = 0;
  virtual int rename(const std::string& from, const std::string& to) = 0;
  virtual int sync_folder(const std::string& path) = 0;
  virtual int truncate(const std::string& path, std::uint64_t length) = 0;

  static CutFiles& system();
};

class TailCut {
 public:
  // `base`: the path of the binlogs without their numbers.
  TailCut(CutFiles& files, std::string index, std::string base, CutRecord cut)
      : files_(files), index_(std::move(index)), base_(std::move(base)), cut_(cut) {}

  // Does everything that is left to do. Returns an empty string once the cut is complete and
  // durable; otherwise what went wrong. It may be run again, unless server_was_started().
  std::string run(const std::function<void(std::string)>& report);
  // The server's recovery has committed what was to be cut, so only a rebuild helps.
  bool server_was_started() const noexcept { return server_was_started_; }

 private:
  std::string path(std::uint32_t number) const;
  std::string aside(std::uint32_t number) const { return path(number) + ".cut"; }
  std::string look_for_a_start(const std::string& index_text);
  std::string started(const std::string& trace);

  CutFiles& files_;
  const std::string index_;
  const std::string base_;
  const CutRecord cut_;
  bool server_was_started_ = false;
};

}  // namespace binlane
