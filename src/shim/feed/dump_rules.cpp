#include "shim/feed/dump_rules.h"

#include "shim/feed/mariadb_dump_rules.h"
#include "shim/feed/mysql_dump_rules.h"

namespace binlane {

std::unique_ptr<DumpRules> make_dump_rules(const DumpRequest& request, const ArchivePlace& place,
                                           FeedLimit& limit) {
  if (request.dialogue->grammar == GtidGrammar::mysql)
    return std::make_unique<MysqlDumpRules>(request, place, limit);
  return std::make_unique<MariadbDumpRules>(request);
}

}  // namespace binlane
