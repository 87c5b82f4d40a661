"""What may end a running binlaned: exceptions are for starting up, and std::thread throws too.

Every file under src that throws, or starts a thread without start_thread(), is listed here with why
that happens at a start only. A new one is a decision: return the error instead, or say why here.
"""

import re
import sys
from pathlib import Path

THROWS = {
    "base/uuid.cpp": "getrandom(2) of 16 bytes cannot fail once the kernel is up",
    "control/admin/admin_server.cpp": "start()",
    "control/admin/audit_log.cpp": "the constructor; reopen() goes on in the old file",
    "control/config/config.cpp": "reading a configuration; a reload catches it (settings.cpp)",
    "control/daemon/daemon.cpp": "the constructor",
    "control/daemon/main.cpp": "before the daemon is up",
    "control/exposure/exposure_record.cpp": "the constructor",
    "control/failover/host_role.cpp": "RoleFile's constructor, and decode() for it",
    "control/exposure/ledger.cpp": "the constructor",
    "control/status/metrics_endpoint.cpp": "the constructor",
    "control/replica/replica_side.cpp": "the constructor and start()",
    "control/stream/source_state.cpp": "the constructor",
    "dataplane/port/eal.cpp": "eal_start()",
    "dataplane/port/port_config.cpp": "reading a configuration",
    "dataplane/port/udp_port.cpp": "the constructor",
    "storage/durable_record.cpp": "the constructor, and exists() before it",
    "storage/journal/journal_file.cpp": "opening and formatting",
    "storage/journal/promise_record.cpp": "the constructor",
    "storage/journal/uring_disk.cpp": "the constructor, and attach() as a lane starts",
}
THREADS = {
    "base/start_thread.h": "it is what the others use",
    "control/admin/admin_server.cpp": "start()",
    "control/admin/admin_worker.cpp": "start(), by AdminServer's",
    "dataplane/lane/lane.cpp": "start()",
    "control/status/metrics_endpoint.cpp": "the constructor",
    "control/source/pause_watch.cpp": "start(), by ControlThread's",
    "control/replica/replica_thread.cpp": "start()",
    "control/daemon/service_notifier.cpp": "the constructor",
    "control/source/control_thread.cpp": "start()",
    "dataplane/port/port_attacher.cpp": "the constructor, with the port",
    "shim/server/dump_drain.cpp": "start(), by ControlThread's",
}
RULES = (
    ("throws", re.compile(r"^\s*(?!//).*\bthrow(;| [\w:]+\()"), THROWS),
    ("starts a thread", re.compile(r"^\s*(?!//).*\bstd::j?thread\b[\w ]*[({]\s*(\[|std::forward)"), THREADS),
)


def main():
    root = Path(sys.argv[1])
    wrong = []
    for what, pattern, listed in RULES:
        found = {
            str(path.relative_to(root))
            for path in root.rglob("*")
            if path.suffix in (".cpp", ".h")
            and any(pattern.match(line) for line in path.read_text().splitlines())
        }
        wrong += [f"src/{name} {what}, and is not listed" for name in sorted(found - set(listed))]
        wrong += [f"src/{name} {what} no more, and is listed" for name in sorted(set(listed) - found)]
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
