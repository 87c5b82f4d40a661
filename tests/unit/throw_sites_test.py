"""What may end a running binlaned: exceptions are for starting up, and std::thread throws too.

Every file under src that throws, or starts a thread without start_thread(), is listed here with why
that happens at a start only. A new one is a decision: return the error instead, or say why here.
"""

import re
import sys
from pathlib import Path

THROWS = {
    "base/uuid.cpp": "getrandom(2) of 16 bytes cannot fail once the kernel is up",
    "control/admin_server.cpp": "start()",
    "control/audit_log.cpp": "the constructor; reopen() goes on in the old file",
    "control/config.cpp": "reading a configuration; a reload catches it (settings.cpp)",
    "control/daemon.cpp": "the constructor",
    "control/daemon_main.cpp": "before the daemon is up",
    "control/exposure_record.cpp": "the constructor",
    "control/host_role.cpp": "RoleFile's constructor, and decode() for it",
    "control/ledger.cpp": "the constructor",
    "control/metrics_endpoint.cpp": "the constructor",
    "control/replica_side.cpp": "the constructor and start()",
    "control/source_state.cpp": "the constructor",
    "dataplane/eal.cpp": "eal_start()",
    "dataplane/port_config.cpp": "reading a configuration",
    "dataplane/udp_port.cpp": "the constructor",
    "storage/durable_record.cpp": "the constructor, and exists() before it",
    "storage/journal_file.cpp": "opening and formatting",
    "storage/promise_record.cpp": "the constructor",
    "storage/uring_disk.cpp": "the constructor, and attach() as a lane starts",
}
THREADS = {
    "base/start_thread.h": "it is what the others use",
    "control/admin_server.cpp": "start()",
    "control/admin_worker.cpp": "start(), by AdminServer's",
    "control/lane.cpp": "start()",
    "control/metrics_endpoint.cpp": "the constructor",
    "control/pause_watch.cpp": "start(), by SourceControl's",
    "control/replica_control.cpp": "start()",
    "control/service_notifier.cpp": "the constructor",
    "control/source_control.cpp": "start()",
    "dataplane/port_plugger.cpp": "the constructor, with the port",
    "shim/dump_drain.cpp": "start(), by SourceControl's",
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
