// Files that others could have written, and files that the installed daemon may not read.
#include "control/config/file_trust.h"

#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/access_path.h"
#include "base/error.h"
#include "control/admin/audit_log.h"
#include "control/config/config.h"
#include "control/config/configuration_error.h"
#include "control/config/service_identity.h"
#include "control/exposure/ledger.h"
#include "storage/archive/archive_io.h"
#include "storage/durable_record.h"
#include "storage/journal/journal_file.h"
#include "support/temporary_directory.h"

namespace binlane::file_trust_test {

constexpr const char* kReplica = R"(
name = "a"
cluster = "c"
data_dir = "/srv/b"
[replica]
port = "udp"
address = "10.0.0.1:7100"
feed_password = "hush"
)";

class FileTrust : public ::testing::Test {
 protected:
  std::string write(const std::string& name, mode_t mode, const std::string& text = kReplica) {
    const std::string path = directory_.file(name);
    std::ofstream(path) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  static std::string refusal(const std::string& path) {
    try {
      load_config(path);
    } catch (const ConfigurationError& error) {
      return error.what();
    }
    return {};
  }
  TemporaryDirectory directory_;
};

TEST_F(FileTrust, AConfigurationThatOthersCouldWriteIsRefused) {
  for (const mode_t mode : {0666, 0660, 0606, 0622})
    EXPECT_NE(refusal(write("c.toml", mode)).find("others could change it; run chmod go-w"),
              std::string::npos)
        << mode;
  for (const mode_t mode : {0600, 0640, 0644}) EXPECT_EQ(refusal(write("c.toml", mode)), "");
}

TEST_F(FileTrust, AForeignOwnersConfigurationIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  const std::string path = write("c.toml", 0600);
  ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
  EXPECT_NE(refusal(path).find("belongs to user 12345"), std::string::npos);
}

TEST_F(FileTrust, AFolderThatOthersMayWriteIsWarnedOf) {
  const std::string path = write("c.toml", 0600);
  const std::string folder = directory_.path();
  ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
  const Config config = load_config(path);
  ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
  bool warned = false;
  for (const std::string& warning : config.warnings)
    warned |= warning.find("by another file") != std::string::npos;
  EXPECT_TRUE(warned);
  for (const std::string& warning : load_config(path).warnings)
    EXPECT_EQ(warning.find("by another file"), std::string::npos) << warning;
}

TEST_F(FileTrust, LinksInTheDataFolderAreNotFollowed) {
  const std::string target = write("precious", 0600, "precious");
  const std::string link = directory_.file("link");
  ASSERT_EQ(::symlink(target.c_str(), link.c_str()), 0);
  EXPECT_THROW(Ledger{link}, StartupError);
  EXPECT_THROW(AuditLog{link}, StartupError);
  EXPECT_THROW(DurableRecord{link}, StartupError);
  int handle = -1;
  EXPECT_EQ(ArchiveIo().open(link, handle), ELOOP);
  std::ostringstream kept;
  kept << std::ifstream(target).rdbuf();
  EXPECT_EQ(kept.str(), "precious");
}

TEST_F(FileTrust, WhatHoldsDataIsForItsOwnerAlone) {
  const std::string ledger_path = directory_.file("ledger.jsonl");
  const Ledger ledger(ledger_path);
  const std::string audit_path = directory_.file("audit.jsonl");
  AuditLog audit(audit_path);
  const std::string record_path = directory_.file("record");
  const DurableRecord record(record_path);
  const std::string archive_path = directory_.file("archive");
  ASSERT_EQ(ArchiveIo().make_directory(archive_path), 0);
  int handle = -1;
  const std::string binlog_path = archive_path + "/binlog.000001";
  ASSERT_EQ(ArchiveIo().open(binlog_path, handle), 0);
  ArchiveIo().close(handle);
  for (const std::string& path :
       {ledger_path, audit_path, record_path, archive_path, binlog_path}) {
    struct stat facts {};
    ASSERT_EQ(::stat(path.c_str(), &facts), 0) << path;
    EXPECT_EQ(facts.st_mode & (S_IRWXG | S_IRWXO), 0U) << path;
  }
}

TEST_F(FileTrust, TheAuditLogGoesOnInANewFileAfterARotation) {
  const std::string path = directory_.file("audit.jsonl");
  AuditLog audit(path);
  const nlohmann::json request = {{"verb", "set"}};
  audit.write({{}, "set", request, AuditStage::answered, ""});
  ASSERT_EQ(::rename(path.c_str(), (path + ".1").c_str()), 0);
  audit.write({{}, "set", request, AuditStage::answered, "late"});
  audit.reopen();
  audit.write({{}, "set", request, AuditStage::answered, "new"});
  std::ostringstream before, after;
  before << std::ifstream(path + ".1").rdbuf();
  after << std::ifstream(path).rdbuf();
  EXPECT_NE(before.str().find("late"), std::string::npos);
  EXPECT_NE(after.str().find("new"), std::string::npos);
  EXPECT_EQ(after.str().find("late"), std::string::npos);
}

TEST_F(FileTrust, AnAuditLogThatNobodyRotatesIsBounded) {
  constexpr std::uint64_t kMost = 2000;
  const std::string path = directory_.file("audit.jsonl");
  const nlohmann::json request = {{"verb", "set"}};
  for (int life = 0; life < 3; ++life) {
    AuditLog audit(path, kMost);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(audit.write({{}, "set", request, AuditStage::answered, std::to_string(i)}), "");
      EXPECT_LE(audit.bytes(), kMost);
      EXPECT_EQ(audit.bytes(), std::filesystem::file_size(path));
    }
  }
  const std::uint64_t before = std::filesystem::file_size(path + ".before");
  EXPECT_LE(before, kMost);
  EXPECT_GT(before, kMost / 2);
  // The newest line exists, and no line is cut by the change of files.
  std::string line, last;
  for (std::ifstream file(path); std::getline(file, line); last = line)
    EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  EXPECT_NE(last.find("\"19\""), std::string::npos) << last;
}

TEST_F(FileTrust, AFullAuditLogThatCannotBeRenamedGoesOn) {
  const std::string path = directory_.file("audit.jsonl");
  ASSERT_EQ(::mkdir((path + ".before").c_str(), 0700), 0);
  AuditLog audit(path, 300);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(audit.write({{}, "set", {{"verb", "set"}}, AuditStage::answered, ""}), "");
  EXPECT_GT(audit.bytes(), 300u);
}

TEST_F(FileTrust, WhatKeepsAUserOutIsNamed) {
  const std::string folder = directory_.file("log");
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  const std::string path = write("log/index", 0640);
  UserIds stranger;
  stranger.uid = ::geteuid() + 1;
  EXPECT_NE(read_obstacle(stranger, path).find("/log ("), std::string::npos);
  ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
  std::string group = "?";
  const std::string obstacle = read_obstacle(stranger, path, &group);
  EXPECT_NE(obstacle.find("mode 0640"), std::string::npos) << obstacle;
  const ::group* const ours = ::getgrgid(::getegid());
  EXPECT_EQ(group, ours != nullptr ? ours->gr_name : std::to_string(::getegid()));
  stranger.groups = {::getegid()};
  EXPECT_EQ(read_obstacle(stranger, path), "");
  EXPECT_EQ(read_obstacle(own_ids(), path), "");
  EXPECT_EQ(read_obstacle(stranger, folder + "/nosuch"), "");
}

TEST_F(FileTrust, WhoMayNotOpenAFileIsNamedAndWhatKeepsHimOut) {
  const std::string path = write("shut", 0000);
  const std::string why = why_not_opened(path, EACCES);
  EXPECT_NE(why.find(", as user "), std::string::npos) << why;
  EXPECT_NE(why.find("/shut ("), std::string::npos) << why;
  EXPECT_NE(why.find("mode 0000"), std::string::npos) << why;
  EXPECT_EQ(why_not_opened(path, ENOENT), errno_text(ENOENT));
}

TEST_F(FileTrust, WhatTheServiceMayNotReadOfAConfigurationIsNamed) {
  const std::string password = write("password", 0600, "secret");
  Config config = parse_config(kReplica, "c.toml");
  config.replica->feed_password_file = password;
  ServiceIdentity service;
  service.user = "binlane";
  service.ids.uid = ::geteuid() + 1;
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  const std::string path = write("c.toml", 0644);
  const auto problems = unreadable_for(service, config, path);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_NE(problems[0].find("binlaned runs as user binlane, which may not read " + password),
            std::string::npos);
  EXPECT_NE(problems[0].find("chgrp binlane"), std::string::npos);
}

TEST_F(FileTrust, TheUnitSaysAsWhomTheDaemonRuns) {
  EXPECT_FALSE(identity_of("LoadState=loaded\nUser=\nGroup=\nSupplementaryGroups=\n"));
  EXPECT_FALSE(identity_of("LoadState=loaded\nUser=root\n"));
  const auto daemon =
      identity_of("LoadState=loaded\nUser=daemon\nGroup=\nSupplementaryGroups=adm tty\n");
  ASSERT_TRUE(daemon);
  EXPECT_EQ(daemon->user, "daemon");
  const ::group* const adm = ::getgrnam("adm");
  ASSERT_NE(adm, nullptr);
  EXPECT_NE(std::find(daemon->ids.groups.begin(), daemon->ids.groups.end(), adm->gr_gid),
            daemon->ids.groups.end());
}

// What /proc/self/smaps says of the mapping at `address`: "rd wr … dd …".
std::string mapping_flags(const void* address) {
  std::ifstream file("/proc/self/smaps");
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    unsigned long from = 0, to = 0;
    char after = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx%c", &from, &to, &after) == 3 && after == ' ')
      inside = from <= wanted && wanted < to;
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return {};
}

TEST(JournalMemory, IsInNoCoreDumpAndLockedWhereThatIsAllowed) {
  const std::size_t size = std::size_t{1} << 20;
  JournalImage image(size);
  const std::string flags = mapping_flags(image.bytes().data());
  EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // Their mlock() says yes and locks nothing.
  std::vector<char> another(size);
  if (::mlock(another.data(), another.size()) != 0) return;  // not allowed here
  ::munlock(another.data(), another.size());
  EXPECT_NE(flags.find(" lo "), std::string::npos) << flags;
#endif
}

}  // namespace binlane::file_trust_test
