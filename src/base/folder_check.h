// Folder checks: whether a folder is one in which nobody else can put or replace what we find
// there. Asks the file system; for ordinary threads while starting up.
#pragma once

#include <string>

namespace binlane {

// Empty when `path` is a folder (no link to one) that belongs to root or to the user we run as and
// that neither its group nor others may write to. Otherwise what is wrong and what to do.
std::string folder_problem(const std::string& path);

}  // namespace binlane
