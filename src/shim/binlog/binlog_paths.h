// Where a server keeps its binlogs, as absolute paths.
//
// A server may show @@log_bin_basename and @@log_bin_index relative to its data folder (MariaDB
// with log_bin=binlogs/mysql-bin), and it writes the lines of its index in the same way. Every user
// of these resolves them here, once, when reading them: ServerFacts and RoleState hold absolute
// paths only.
#pragma once

#include <string>

namespace binlane {

// `path` as the server shows it; a relative one is below `data_directory` (@@datadir). Empty stays
// empty.
std::string resolve_server_path(const std::string& path, const std::string& data_directory);

// "/d/binlogs" of "/d/binlogs/mysql-bin"; "." of a name alone.
std::string folder_of_path(const std::string& path);

// Whether a line of the index may be one of the binlogs `base`.NNNNNN: the same base name, and the
// same folder if the line names one. `base` is absolute; the line may be relative.
bool is_binlog_of(const std::string& line, const std::string& base);

// A line of an index without what an editor may have left at both ends: blanks, a carriage return.
std::string trimmed_index_line(const std::string& line);

}  // namespace binlane
