// The one definition of the tables that the load writes and every verification reads.
//
// Rows are numbered per client without reuse, so a missing, doubled or foreign row is visible from
// the primary key alone. tools/lab/audit/rows.py reads the same columns from binlogs, by this
// order.
#pragma once

namespace binlane::bench {

inline constexpr const char* kCreateDatabase = "CREATE DATABASE IF NOT EXISTS bench";
inline constexpr const char* kCreateTable =
    "CREATE TABLE IF NOT EXISTS bench.numbered ("
    "client INT UNSIGNED NOT NULL, "
    "sequence BIGINT UNSIGNED NOT NULL, "
    "payload MEDIUMBLOB NOT NULL, "
    "PRIMARY KEY (client, sequence)) ENGINE=InnoDB";
// The one row that every client of a load on a hot row updates.
inline constexpr const char* kCreateHotTable =
    "CREATE TABLE IF NOT EXISTS bench.hot ("
    "id INT UNSIGNED NOT NULL PRIMARY KEY, "
    "updates BIGINT UNSIGNED NOT NULL) ENGINE=InnoDB";
inline constexpr const char* kCreateHotRow = "INSERT IGNORE INTO bench.hot VALUES (1, 0)";
inline constexpr const char* kUpdateHotRow =
    "UPDATE bench.hot SET updates = updates + 1 WHERE id = 1";
inline constexpr const char* kInsertPrefix = "INSERT INTO bench.numbered VALUES ";
inline constexpr const char* kNextSequenceQuery =
    "SELECT COALESCE(MAX(sequence) + 1, 0) FROM bench.numbered WHERE client = ";

}  // namespace binlane::bench
