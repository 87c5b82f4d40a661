"""`lab up`, `lab down`, `lab status`: the demo's set of servers, left running; or three hosts, each
of which may become the source.

Everything that is running is written into one state file; `down` ends what stands there, and only
if pid and start time still name the process that `up` started.
"""

import json
import shutil
import sys
from pathlib import Path

from lab.servers import admin
from lab.servers.cluster import Cluster
from lab.servers.fleet import BINLANE_USER, PASSWORD
from lab.servers.ha import APPLICATION_USER, HaCluster
from lab.machine.process import Process
from lab.machine.programs import REPOSITORY, program

STATE_FILE = REPOSITORY / "lab" / "state.json"


def _process(process):
    return {
        "pid": process.pid,
        "pid_file": str(process.pid_file),
        "log": str(process.log_file),
        "command": process.command,
    }


def _server(server):
    return {
        **_process(server.process),
        "socket": str(server.socket),
        "port": server.port,
        "data_dir": str(server.data_dir),
        "config": str(server.config_file),
        "server_id": server.server_id,
        "user": "root",
        "password": "",
    }


def _daemon(daemon):
    return {
        **_process(daemon.process),
        "admin_socket": str(daemon.admin_socket),
        "data_dir": str(daemon.data_dir),
        "config": str(daemon.config_file),
    }


def describe(cluster):
    """Every socket, port, pid file, data folder, log and archive of a running cluster."""
    return {
        "run_dir": str(cluster.folder),
        "server": cluster.flavour.name,
        "not_supported": cluster.flavour.not_yet(),
        "quorum": cluster.quorum,
        "timeout_ms": cluster.timeout_ms,
        "binlane_user": BINLANE_USER,
        "binlane_password": PASSWORD,
        "source": {
            "server": {**_server(cluster.source), "binlog": str(cluster.source.data_dir / "binlog")},
            "binlaned": {
                **_daemon(cluster.daemon),
                "ledger": str(cluster.daemon.data_dir / "ledger.jsonl"),
            },
        },
        "replicas": [
            {
                "name": replica.name,
                "server": _server(replica.server),
                "binlaned": {
                    **_daemon(replica.daemon),
                    "archive": str(replica.daemon.archive),
                    "journal": str(replica.daemon.data_dir / "journal"),
                    "address": replica.address,
                    "port": replica.port,
                    "feed_port": replica.feed_port,
                },
            }
            for replica in cluster.replicas
        ],
    }


def describe_hosts(cluster):
    """The same of hosts with both roles, by name."""
    return {
        "run_dir": str(cluster.folder),
        "server": cluster.flavour.name,
        "timeout_ms": cluster.timeout_ms,
        "binlane_user": BINLANE_USER,
        "binlane_password": PASSWORD,
        "application_user": APPLICATION_USER,
        "hosts": [
            {
                "name": host.name,
                "server": {**_server(host.server), "binlog": str(host.server.data_dir / "binlog")},
                "binlaned": {
                    **_daemon(host.daemon),
                    "archive": str(host.daemon.archive),
                    "journal": str(host.daemon.data_dir / "journal"),
                    "ledger": str(host.daemon.data_dir / "ledger.jsonl"),
                    "source_address": host.source_address,
                    "replica_address": host.replica_address,
                    "feed_port": host.feed_port,
                },
            }
            for host in cluster.hosts
        ],
    }


def how_to_promote(cluster):
    """What to type to try a failover, with this lab's own sockets and processes."""
    first, second = cluster.hosts[:2]
    binlane = program("binlane")

    def ask(host, words):
        return f"  {binlane} --socket {host.daemon.admin_socket} {words}"

    return "\n".join(
        (
            f"{first.name} is the source. To try a planned switchover to {second.name}:",
            ask(second, f"promote {second.name} --from-live-source"),
            ask(second, "status"),
            ask(first, "rejoin"),
            "Or kill the source (server and binlaned), and promote without that option:",
            f"  kill -9 {first.server.process.pid} {first.daemon.process.pid}",
            ask(second, f"promote {second.name} --dry-run"),
            ask(second, f"promote {second.name}"),
            f"An application writes as {APPLICATION_USER}, whom read_only binds:",
            f"  mariadb --socket {second.server.socket} --user {APPLICATION_USER}",
            "./dev lab down ends all of it",
        )
    )


def _write(json_path, description):
    text = json.dumps(description, indent=2) + "\n"
    if json_path:
        Path(json_path).write_text(text)
    else:
        print(text, end="")


def _state():
    return json.loads(STATE_FILE.read_text()) if STATE_FILE.exists() else None


def _parts(state):
    """(name, description) of every process, daemons first: the order in which they end."""
    if "hosts" in state:
        hosts = [(host["name"], host) for host in state["hosts"]]
    else:
        hosts = [("source", state["source"]), *((r["name"], r) for r in state["replicas"])]
    for kind in ("binlaned", "server"):
        for name, host in hosts:
            yield f"{name} {kind}", host[kind]


def _adopt(part):
    return Process(part["command"], part["pid_file"], part["log"], detached=True)


def up(json_path=None, may_be_source=False):
    """may_be_source: three hosts with both roles, so that one can be promoted."""
    if _state() is not None:
        print(f"the lab is up already ({STATE_FILE}); ./dev lab down ends it")
        return 1
    cluster = HaCluster(detached=True) if may_be_source else Cluster(detached=True)
    described = describe_hosts if may_be_source else describe
    STATE_FILE.parent.mkdir(exist_ok=True)
    # Written before anything runs, so that `down` can end a lab that came up only in part.
    STATE_FILE.write_text(json.dumps(described(cluster), indent=2) + "\n")
    try:
        cluster.start()
    except BaseException:
        cluster.stop(remove=False)
        STATE_FILE.unlink()
        print(f"the lab did not come up; its logs are under {cluster.folder}")
        raise
    STATE_FILE.write_text(json.dumps(described(cluster), indent=2) + "\n")
    _write(json_path, described(cluster))
    if may_be_source:
        print(how_to_promote(cluster), file=sys.stderr)
    return 0


def down(_json_path=None):
    state = _state()
    if state is None:
        print("no lab is up")
        return 0
    for name, part in _parts(state):
        if not _adopt(part).stop():
            print(f"{name} did not end when asked and was killed")
    folder = Path(state["run_dir"])
    if folder.exists():
        shutil.rmtree(folder)
    STATE_FILE.unlink()
    print("the lab is down")
    return 0


def status(json_path=None):
    state = _state()
    if state is None:
        print("no lab is up")
        return 1
    found = {"run_dir": state["run_dir"], "processes": {}, "status": {}}
    healthy = True
    for name, part in _parts(state):
        pid = _adopt(part).pid
        healthy = healthy and pid is not None
        found["processes"][name] = pid
        if "admin_socket" in part:
            try:
                found["status"][name] = admin.request(part["admin_socket"], "status")
            except admin.AdminError as error:
                healthy = False
                found["status"][name] = {"error": str(error)}
    _write(json_path, found)
    return 0 if healthy else 1
