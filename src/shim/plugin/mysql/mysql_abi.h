// The part of MySQL 9.7's plugin interface that binlane_source.so uses, declared by ourselves.
// SPDX-License-Identifier: GPL-2.0-only
//
// The plugin needs no header of MySQL's. The layouts were compared with those of Debian's
// mysql-source 9.7.4-2, and the plugin loads into the versions of supported_versions.h only. Of a
// structure that the server passes nothing is declared after the last member that is used.
#pragma once

#include <cstddef>
#include <cstdint>

namespace binlane::mysql_abi {

inline constexpr int kPluginInterface = 0x010b;
inline constexpr int kReplicationInterface = 0x0400;
inline constexpr int kReplicationPlugin = 6;
inline constexpr int kLicenseGpl = 1;

// --- status variables ----------------------------------------------------------------------------

enum class ShowType : int { longlong = 4, chars = 5, function = 8 };
inline constexpr int kShowGlobal = 1;
// What a function may use of the buffer that it gets.
inline constexpr std::size_t kShowBufferBytes = 1024;

struct ShowVariable {
  const char* name;
  const void* value;
  ShowType type;
  int scope;
};
using ShowFunction = int (*)(void* thread, ShowVariable* variable, char* buffer);
static_assert(sizeof(ShowVariable) == 24);

// --- system variables ----------------------------------------------------------------------------

inline constexpr int kBool = 0x1;
inline constexpr int kInt = 0x2;
inline constexpr int kLong = 0x3;
inline constexpr int kString = 0x5;
inline constexpr int kEnum = 0x6;
inline constexpr int kUnsigned = 0x80;
inline constexpr int kReadOnly = 0x200;
inline constexpr int kArgumentOptional = 0x2000;

using UpdateFunction = void (*)(void* thread, void* variable, void* value, const void* wanted);

struct VariableHeader {
  int flags;
  const char* name;
  const char* comment;
  void* check;
  UpdateFunction update;
};
template <class T>
struct PlainVariable {
  VariableHeader header;
  T* value;
  const T default_value;
};
template <class T>
struct NumberVariable {
  VariableHeader header;
  T* value;
  T default_value;
  T min;
  T max;
  T block;
};
struct Names {
  std::size_t count;
  const char* name;
  const char* const* names;
  unsigned* lengths;
};
struct EnumVariable {
  VariableHeader header;
  unsigned long* value;
  unsigned long default_value;
  const Names* names;
};
static_assert(sizeof(VariableHeader) == 40);
static_assert(offsetof(PlainVariable<bool>, default_value) == 48);
static_assert(offsetof(NumberVariable<unsigned long>, default_value) == 48);
static_assert(offsetof(NumberVariable<unsigned>, block) == 60);
static_assert(offsetof(EnumVariable, names) == 56);

// --- the plugin ----------------------------------------------------------------------------------

struct Plugin {
  int type;
  const void* info;
  const char* name;
  const char* author;
  const char* description;
  int license;
  int (*init)(void*);
  int (*check_uninstall)(void*);
  int (*deinit)(void*);
  unsigned version;
  ShowVariable* status_variables;
  void** system_variables;
  void* reserved;
  unsigned long flags;
};
static_assert(sizeof(Plugin) == 112 && offsetof(Plugin, init) == 48);
static_assert(offsetof(Plugin, deinit) == 64 && offsetof(Plugin, status_variables) == 80);
static_assert(offsetof(Plugin, system_variables) == 88 && offsetof(Plugin, flags) == 104);

// --- observers -----------------------------------------------------------------------------------

struct BinlogStorageObserver {
  std::uint32_t bytes;
  int (*after_flush)(void* parameter, const char* file, unsigned long long offset);
  int (*after_sync)(void* parameter, const char* file, unsigned long long offset);
};
static_assert(sizeof(BinlogStorageObserver) == 24);

struct TransactionParameter {
  std::uint32_t server_id;
  const char* server_uuid;
  std::uint32_t thread_id;
  std::uint32_t flags;
  const char* log_file;
  unsigned long long log_offset;
};
inline constexpr std::uint32_t kRealTransaction = 1;
static_assert(offsetof(TransactionParameter, thread_id) == 16);
static_assert(offsetof(TransactionParameter, flags) == 20);
static_assert(offsetof(TransactionParameter, log_file) == 24);
static_assert(offsetof(TransactionParameter, log_offset) == 32);

struct TransactionObserver {
  std::uint32_t bytes;
  int (*before_dml)(void*, int*);
  int (*before_commit)(void*);
  int (*before_rollback)(void*);
  int (*after_commit)(TransactionParameter*);
  int (*after_rollback)(TransactionParameter*);
  int (*begin)(void*, int*);
};
static_assert(sizeof(TransactionObserver) == 56 &&
              offsetof(TransactionObserver, after_commit) == 32);

// --- what the server does for a thread -----------------------------------------------------------

// What SHOW PROCESSLIST shows as a thread's state.
struct Stage {
  unsigned key;
  const char* name;
  unsigned flags;
  const char* documentation;
};
static_assert(sizeof(Stage) == 32 && offsetof(Stage, documentation) == 24);

enum class LogLevel : int { error = 0, warning = 1, information = 2 };
struct LogService {
  int (*message)(void** plugin, LogLevel level, const char* format, ...);
};
inline constexpr std::uintptr_t kLogServiceVersion = 0x0100;

}  // namespace binlane::mysql_abi
