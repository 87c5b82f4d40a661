// Answers whether a file or folder may decide what this program does: anybody who can write it
// could decide.
#pragma once

#include <sys/stat.h>

#include <string>

namespace binlane {

// "… belongs to user 1000, neither to root nor to …", or an empty text. If root checks a file that
// the installed daemon's own user owns, that user is not foreign.
std::string why_foreign(const std::string& path, const struct stat& facts);

// The same, and the mode: its group and others must not be able to write it. The sticky bit of a
// folder does not help, because names that do not exist yet can be taken.
std::string why_not_trusted(const std::string& path, const struct stat& facts);

// A warning if others could replace this file by one of their own; otherwise empty.
std::string open_folder_of(const std::string& path);

// Why a file could not be opened: `error`'s text, and if this process may not read it, the user
// that it runs as and what keeps that user out.
std::string why_not_opened(const std::string& path, int error);

}  // namespace binlane
