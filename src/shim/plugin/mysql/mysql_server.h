// The functions and variables of MySQL's server that binlane_source.so uses, by their names there.
// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <atomic>
#include <cstdint>

#include "shim/plugin/mysql/mysql_abi.h"

// A null thread is the calling one.
extern "C" {
int register_binlog_storage_observer(binlane::mysql_abi::BinlogStorageObserver*, void* plugin);
int unregister_binlog_storage_observer(binlane::mysql_abi::BinlogStorageObserver*, void* plugin);
int register_trans_observer(binlane::mysql_abi::TransactionObserver*, void* plugin);
int unregister_trans_observer(binlane::mysql_abi::TransactionObserver*, void* plugin);
int thd_killed(const void* thread);
void thd_enter_stage(void* thread, const binlane::mysql_abi::Stage* stage,
                     binlane::mysql_abi::Stage* old_stage, const char* function, const char* file,
                     unsigned line);
extern char server_version[];
extern std::atomic<std::int32_t> connection_events_loop_aborted_flag;
}
