// May a file or folder decide what this program does? Whoever can write it could make it decide.
#pragma once

#include <sys/stat.h>

#include <string>

namespace binlane {

// "… belongs to user 1000, neither to root nor to …", or an empty text. Where root looks at a file
// that the installed daemon's own user owns, that is no foreign user.
std::string why_foreign(const std::string& path, const struct stat& facts);

// The same, and the mode: its group and others must not be able to write it. The sticky bit of a
// folder helps nothing, because names that are not there yet can be taken.
std::string why_not_trusted(const std::string& path, const struct stat& facts);

// A warning where others could put a file of their own in this one's place; otherwise empty.
std::string open_folder_of(const std::string& path);

// Why a file could not be opened: `error`'s text, and where this process may not read it, as whom
// it runs and what keeps it out.
std::string why_not_opened(const std::string& path, int error);

}  // namespace binlane
