// Compiled with MySQL's own headers, from a tree of its source: what binlane_source.so declares by
// itself has the server's layouts and values. Nothing here runs.
#include <cstddef>

// MySQL's first: its headers are not made to follow others.
#include "my_inttypes.h"
#include "mysql/plugin.h"
#include "mysql/service_my_plugin_log.h"
#include "sql/replication.h"
#include "typelib.h"

#include "shim/plugin/mysql/mysql_abi.h"

namespace abi = binlane::mysql_abi;

#define SAME_SIZE(theirs, ours) static_assert(sizeof(theirs) == sizeof(abi::ours))
#define SAME_PLACE(theirs, member, ours, own)                                       \
  static_assert(offsetof(theirs, member) == offsetof(abi::ours, own) &&            \
                sizeof(theirs::member) == sizeof(abi::ours::own))

SAME_SIZE(Binlog_storage_observer, BinlogStorageObserver);
SAME_PLACE(Binlog_storage_observer, len, BinlogStorageObserver, bytes);
SAME_PLACE(Binlog_storage_observer, after_flush, BinlogStorageObserver, after_flush);
SAME_PLACE(Binlog_storage_observer, after_sync, BinlogStorageObserver, after_sync);

SAME_SIZE(Trans_observer, TransactionObserver);
SAME_PLACE(Trans_observer, len, TransactionObserver, bytes);
SAME_PLACE(Trans_observer, before_commit, TransactionObserver, before_commit);
SAME_PLACE(Trans_observer, after_commit, TransactionObserver, after_commit);
SAME_PLACE(Trans_observer, after_rollback, TransactionObserver, after_rollback);

// Of this one only a beginning is declared.
SAME_PLACE(Trans_param, thread_id, TransactionParameter, thread_id);
SAME_PLACE(Trans_param, flags, TransactionParameter, flags);
SAME_PLACE(Trans_param, log_file, TransactionParameter, log_file);
SAME_PLACE(Trans_param, log_pos, TransactionParameter, log_offset);
static_assert(TRANS_IS_REAL_TRANS == abi::kRealTransaction);

SAME_SIZE(st_mysql_plugin, Plugin);
SAME_PLACE(st_mysql_plugin, type, Plugin, type);
SAME_PLACE(st_mysql_plugin, info, Plugin, info);
SAME_PLACE(st_mysql_plugin, name, Plugin, name);
SAME_PLACE(st_mysql_plugin, license, Plugin, license);
SAME_PLACE(st_mysql_plugin, init, Plugin, init);
SAME_PLACE(st_mysql_plugin, check_uninstall, Plugin, check_uninstall);
SAME_PLACE(st_mysql_plugin, deinit, Plugin, deinit);
SAME_PLACE(st_mysql_plugin, version, Plugin, version);
SAME_PLACE(st_mysql_plugin, status_vars, Plugin, status_variables);
SAME_PLACE(st_mysql_plugin, system_vars, Plugin, system_variables);
SAME_PLACE(st_mysql_plugin, flags, Plugin, flags);
static_assert(MYSQL_PLUGIN_INTERFACE_VERSION == abi::kPluginInterface);
static_assert(MYSQL_REPLICATION_INTERFACE_VERSION == abi::kReplicationInterface);
static_assert(MYSQL_REPLICATION_PLUGIN == abi::kReplicationPlugin);
static_assert(PLUGIN_LICENSE_GPL == abi::kLicenseGpl);

SAME_SIZE(SHOW_VAR, ShowVariable);
SAME_PLACE(SHOW_VAR, value, ShowVariable, value);
SAME_PLACE(SHOW_VAR, type, ShowVariable, type);
SAME_PLACE(SHOW_VAR, scope, ShowVariable, scope);
static_assert(SHOW_LONGLONG == static_cast<int>(abi::ShowType::longlong));
static_assert(SHOW_CHAR == static_cast<int>(abi::ShowType::chars));
static_assert(SHOW_FUNC == static_cast<int>(abi::ShowType::function));
static_assert(SHOW_SCOPE_GLOBAL == abi::kShowGlobal);
static_assert(SHOW_VAR_FUNC_BUFF_SIZE == abi::kShowBufferBytes);

bool a_bool;
char* a_string;
unsigned an_int;
unsigned long a_long;
static MYSQL_SYSVAR_BOOL(b, a_bool, PLUGIN_VAR_OPCMDARG, "", nullptr, nullptr, false);
static MYSQL_SYSVAR_STR(s, a_string, PLUGIN_VAR_READONLY, "", nullptr, nullptr, nullptr);
static MYSQL_SYSVAR_UINT(i, an_int, 0, "", nullptr, nullptr, 0, 0, 1, 0);
static MYSQL_SYSVAR_ULONG(l, a_long, 0, "", nullptr, nullptr, 0, 0, 1, 0);
static MYSQL_SYSVAR_ENUM(e, a_long, 0, "", nullptr, nullptr, 0, nullptr);
#define SAME_VARIABLE(name, member, ours, own)                                                \
  static_assert(offsetof(decltype(mysql_sysvar_##name), member) == offsetof(abi::ours, own)); \
  static_assert(sizeof(mysql_sysvar_##name) == sizeof(abi::ours))
namespace binlane::mysql_abi {
using BoolVariable = PlainVariable<bool>;
using StringVariable = PlainVariable<char*>;
using IntVariable = NumberVariable<unsigned>;
using LongVariable = NumberVariable<unsigned long>;
}  // namespace binlane::mysql_abi
SAME_VARIABLE(b, def_val, BoolVariable, default_value);
SAME_VARIABLE(s, def_val, StringVariable, default_value);
SAME_VARIABLE(i, blk_sz, IntVariable, block);
SAME_VARIABLE(l, blk_sz, LongVariable, block);
SAME_VARIABLE(l, max_val, LongVariable, max);
SAME_VARIABLE(e, typelib, EnumVariable, names);
static_assert(offsetof(decltype(mysql_sysvar_b), update) == offsetof(abi::VariableHeader, update));
static_assert((PLUGIN_VAR_BOOL) == abi::kBool && (PLUGIN_VAR_INT) == abi::kInt);
static_assert((PLUGIN_VAR_LONG) == abi::kLong && (PLUGIN_VAR_STR) == abi::kString);
static_assert((PLUGIN_VAR_ENUM) == abi::kEnum && (PLUGIN_VAR_UNSIGNED) == abi::kUnsigned);
static_assert((PLUGIN_VAR_READONLY) == abi::kReadOnly);
static_assert((PLUGIN_VAR_OPCMDARG) == abi::kArgumentOptional);

SAME_SIZE(TYPELIB, Names);
SAME_PLACE(TYPELIB, count, Names, count);
SAME_PLACE(TYPELIB, type_names, Names, names);

SAME_SIZE(PSI_stage_info, Stage);
SAME_PLACE(PSI_stage_info, m_key, Stage, key);
SAME_PLACE(PSI_stage_info, m_name, Stage, name);
SAME_PLACE(PSI_stage_info, m_documentation, Stage, documentation);
static_assert(sizeof(my_plugin_log_service) == sizeof(void*));
static_assert(MY_WARNING_LEVEL == static_cast<int>(abi::LogLevel::warning));
static_assert(MY_ERROR_LEVEL == static_cast<int>(abi::LogLevel::error));
