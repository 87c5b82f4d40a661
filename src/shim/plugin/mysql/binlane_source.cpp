// binlane_source.so: the plugin of MySQL's that makes commits wait for Binlane's quorum.
// SPDX-License-Identifier: GPL-2.0-only
//
// What it does is in source_shim.h. Here it is put into MySQL: variables, observers, declarations.
// An observer always returns 0: anything else would make the server abort (binlog_error_action).

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "binlane/shim_page_file.h"
#include "shim/plugin/mysql/mysql_abi.h"
#include "shim/plugin/mysql/mysql_server.h"
#include "shim/plugin/mysql/source_shim.h"
#include "shim/plugin/mysql/supported_versions.h"

// The server sets it when it loads the plugin, if it knows this version of the service.
extern "C" {
__attribute__((visibility("default"))) extern const void* my_plugin_log_service;
const void* my_plugin_log_service =
    reinterpret_cast<const void*>(binlane::mysql_abi::kLogServiceVersion);
}

namespace binlane {
namespace {

using namespace mysql_abi;

// --- the server ----------------------------------------------------------------------------------

void* g_plugin = nullptr;

// Everything is a warning: with the server's own settings nothing less is in its log.
void log_line(const std::string& text) {
  static_cast<const LogService*>(my_plugin_log_service)
      ->message(&g_plugin, LogLevel::warning, "%s", text.c_str());
}

class MySqlServer : public HostServer {
 public:
  bool is_killed() const override { return thd_killed(nullptr) != 0; }
  bool is_shutting_down() const override { return connection_events_loop_aborted_flag.load() != 0; }
  void begin_stage() override {
    static constexpr Stage kWaiting{0, "Waiting for Binlane ACK from a quorum", 0, ""};
    thd_enter_stage(nullptr, &kWaiting, &t_stage_before, __func__, __FILE__, __LINE__);
  }
  void end_stage() override {
    thd_enter_stage(nullptr, &t_stage_before, nullptr, __func__, __FILE__, __LINE__);
  }
  void log(const std::string& text) override { log_line(text); }

 private:
  static thread_local Stage t_stage_before;
};
thread_local Stage MySqlServer::t_stage_before{};

MySqlServer g_server;
std::unique_ptr<SourceShim> g_shim;

// --- system variables ----------------------------------------------------------------------------

bool g_enabled = false;
unsigned long g_timeout = 10'000;
unsigned long g_wait_point = 0;
unsigned g_replica_count = 1;
bool g_wait_no_replica = true;
char* g_page = nullptr;
char g_default_page[] = "/run/binlane/source.page";

shim_page::Settings variables() {
  constexpr unsigned long kMax = std::numeric_limits<std::uint32_t>::max();
  return {static_cast<std::uint32_t>(std::min(g_timeout, kMax)),
          static_cast<std::uint16_t>(g_replica_count),
          g_enabled,
          false,
          g_wait_point == 1,
          g_wait_no_replica};
}

template <class T>
void update(void*, void*, void* value, const void* wanted) {
  *static_cast<T*>(value) = *static_cast<const T*>(wanted);
  if (g_shim) g_shim->set(variables());
}

const char* const kWaitPoints[] = {"AFTER_SYNC", "AFTER_COMMIT", nullptr};
constexpr Names kWaitPointNames{2, "", kWaitPoints, nullptr};

PlainVariable<bool> g_enabled_variable{
    {kBool | kArgumentOptional, "enabled", "Whether commits wait for Binlane's quorum.", nullptr,
     update<bool>},
    &g_enabled,
    false};
NumberVariable<unsigned long> g_timeout_variable{
    {kLong | kUnsigned | kArgumentOptional, "timeout",
     "After how many milliseconds a commit goes on without a quorum, and semi-sync is OFF.",
     nullptr, update<unsigned long>},
    &g_timeout,
    10'000,
    0,
    std::numeric_limits<unsigned long>::max(),
    1};
EnumVariable g_wait_point_variable{
    {kEnum | kArgumentOptional, "wait_point",
     "AFTER_SYNC: nobody sees a transaction's rows before a quorum has it. AFTER_COMMIT: only its "
     "client waits.",
     nullptr, update<unsigned long>},
    &g_wait_point,
    0,
    &kWaitPointNames};
NumberVariable<unsigned> g_replica_count_variable{
    {kInt | kUnsigned | kArgumentOptional, "wait_for_replica_count",
     "With wait_no_replica=OFF: how many replicas must be connected. Binlane's own rule says how "
     "many are a quorum.",
     nullptr, update<unsigned>},
    &g_replica_count,
    1,
    1,
    65'535,
    1};
PlainVariable<bool> g_wait_no_replica_variable{
    {kBool | kArgumentOptional, "wait_no_replica",
     "OFF: semi-sync is OFF as soon as binlaned is dead, or too few replicas are connected. ON: a "
     "commit waits for them until the timeout.",
     nullptr, update<bool>},
    &g_wait_no_replica,
    true};
PlainVariable<char*> g_page_variable{
    {kString | kReadOnly, "page", "The file through which the plugin and binlaned talk.", nullptr,
     nullptr},
    &g_page,
    g_default_page};

void* g_system_variables[] = {&g_enabled_variable,
                              &g_timeout_variable,
                              &g_wait_point_variable,
                              &g_replica_count_variable,
                              &g_wait_no_replica_variable,
                              &g_page_variable,
                              nullptr};

// --- status variables ----------------------------------------------------------------------------

template <std::uint64_t SourceStatus::*Member>
int show_number(void*, ShowVariable* variable, char* buffer) {
  const std::uint64_t number = g_shim->status().*Member;
  std::memcpy(buffer, &number, sizeof number);
  variable->type = ShowType::longlong;
  variable->value = buffer;
  return 0;
}

int show_state(void*, ShowVariable* variable, char* buffer) {
  std::strcpy(buffer, g_shim->status().on ? "ON" : "OFF");
  variable->type = ShowType::chars;
  variable->value = buffer;
  return 0;
}

ShowVariable shown(const char* name, ShowFunction function) {
  return {name, reinterpret_cast<const void*>(function), ShowType::function, kShowGlobal};
}

ShowVariable g_status_variables[] = {
    shown("Binlane_source_status", show_state),
    shown("Binlane_source_clients", show_number<&SourceStatus::clients>),
    shown("Binlane_source_yes_tx", show_number<&SourceStatus::yes_tx>),
    shown("Binlane_source_no_tx", show_number<&SourceStatus::no_tx>),
    shown("Binlane_source_no_times", show_number<&SourceStatus::no_times>),
    shown("Binlane_source_wait_sessions", show_number<&SourceStatus::wait_sessions>),
    shown("Binlane_source_tx_waits", show_number<&SourceStatus::tx_waits>),
    shown("Binlane_source_tx_wait_time", show_number<&SourceStatus::tx_wait_time_us>),
    shown("Binlane_source_tx_avg_wait_time", show_number<&SourceStatus::tx_avg_wait_time_us>),
    shown("Binlane_source_wait_p50_us", show_number<&SourceStatus::wait_p50_us>),
    shown("Binlane_source_wait_p99_us", show_number<&SourceStatus::wait_p99_us>),
    {nullptr, nullptr, ShowType::longlong, kShowGlobal}};

// --- observers -----------------------------------------------------------------------------------

int after_flush(void*, const char* file, unsigned long long offset) {
  g_shim->flushed(file, offset);
  return 0;
}

int after_sync(void*, const char* file, unsigned long long offset) {
  g_shim->synced(file, offset);
  return 0;
}

// The leader of a group calls it for each transaction, and the server makes the transaction's own
// client the current one meanwhile: its KILL counts, and its state is shown.
int after_commit(TransactionParameter* transaction) {
  if ((transaction->flags & kRealTransaction) != 0)
    g_shim->committed(transaction->log_file, transaction->log_offset);
  return 0;
}

BinlogStorageObserver g_binlog_observer{sizeof(BinlogStorageObserver), after_flush, after_sync};
// As the server's own semi-sync: a rollback that is in the binlog waits like a commit.
TransactionObserver g_transaction_observer{
    sizeof(TransactionObserver), nullptr, nullptr, nullptr, after_commit, after_commit, nullptr};

// --- the plugin's life ---------------------------------------------------------------------------

void forget_observers() {
  unregister_trans_observer(&g_transaction_observer, g_plugin);
  unregister_binlog_storage_observer(&g_binlog_observer, g_plugin);
}

int init(void* plugin) {
  g_plugin = plugin;
  if (!is_supported_version(server_version)) {
    log_line("this plugin is for MySQL " + supported_versions() + ", and this server is " +
             server_version + ": use Binlane's protocol shim, which needs no plugin");
    return 1;
  }
  auto opened = shim_page::PageFile::open(g_page, shim_page::Side::server);
  if (!opened.file) {
    log_line(opened.problem);
    return 1;
  }
  g_shim = std::make_unique<SourceShim>(std::move(opened.file), g_server, variables());
  if (register_trans_observer(&g_transaction_observer, plugin) != 0 ||
      register_binlog_storage_observer(&g_binlog_observer, plugin) != 0) {
    log_line("the server did not take the plugin's observers");
    forget_observers();
    g_shim.reset();
    return 1;
  }
  log_line(std::string("Semi-sync replication initialized for transactions, with the page ") +
           g_page + ".");
  return 0;
}

// Before UNINSTALL PLUGIN is carried out. Nothing can prevent it from here on.
int check_uninstall(void*) {
  if (g_shim) g_shim->leave();
  return 0;
}

// The server waits, as it forgets an observer, for the threads that are in it.
int deinit(void*) {
  if (!g_shim) return 0;
  g_shim->leave();
  forget_observers();
  g_shim.reset();
  log_line("Semi-sync replication for transactions has ended.");
  return 0;
}

constexpr int kInfo = kReplicationInterface;

}  // namespace
}  // namespace binlane

#define BINLANE_EXPORTED __attribute__((visibility("default")))

// The names that the server looks for.
extern "C" {
BINLANE_EXPORTED extern const int _mysql_plugin_interface_version_;
BINLANE_EXPORTED extern const int _mysql_sizeof_struct_st_plugin_;
BINLANE_EXPORTED extern binlane::mysql_abi::Plugin _mysql_plugin_declarations_[];
const int _mysql_plugin_interface_version_ = binlane::mysql_abi::kPluginInterface;
const int _mysql_sizeof_struct_st_plugin_ = sizeof(binlane::mysql_abi::Plugin);
binlane::mysql_abi::Plugin _mysql_plugin_declarations_[] = {
    {binlane::mysql_abi::kReplicationPlugin, &binlane::kInfo, "binlane_source", "Binlane",
     "Makes commits wait for a quorum of Binlane's replicas.", binlane::mysql_abi::kLicenseGpl,
     binlane::init, binlane::check_uninstall, binlane::deinit, 0x0100, binlane::g_status_variables,
     binlane::g_system_variables, nullptr, 0},
    {}};
}
