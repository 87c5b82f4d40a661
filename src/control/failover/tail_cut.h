// TailCut: cuts what nobody else has off a stopped server's binlogs, in steps of which each may be
// the last before a power cut.
//
// The index first, so that a server names no file beyond the cut; then those files are set aside as
// <name>.cut; the file that the cut lies in is truncated last. What is to be cut is on record
// before the first step (RoleState::cut), and run() goes on from wherever it was left: it finds
// what is done already. A server that was started in between has committed what was to be cut: that
// shows in its files, and is refused. Source's control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/position.h"
#include "control/cut_record.h"

namespace binlane {

// The operations of it, in a seam: tests end in the middle of them. Each gives 0 or an errno.
class CutFiles {
 public:
  virtual ~CutFiles() = default;
  virtual bool exists(const std::string& path) = 0;
  virtual std::optional<std::uint64_t> size(const std::string& path) = 0;
  virtual int read(const std::string& path, std::string& text) = 0;
  // Another text in one step, durable, with the owner of the file before.
  virtual int replace(const std::string& path, const std::string& text) = 0;
  virtual int rename(const std::string& from, const std::string& to) = 0;
  virtual int sync_folder(const std::string& path) = 0;
  virtual int truncate(const std::string& path, std::uint64_t length) = 0;

  static CutFiles& system();
};

class TailCut {
 public:
  // `base`: the binlogs' path without their numbers.
  TailCut(CutFiles& files, std::string index, std::string base, CutRecord cut)
      : files_(files), index_(std::move(index)), base_(std::move(base)), cut_(cut) {}

  // All that is left to do. Empty when everything is cut, and durable; otherwise what went wrong:
  // it may be run again, unless server_was_started().
  std::string run(const std::function<void(std::string)>& report);
  // Its recovery has committed what was to be cut: only a rebuild helps.
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
