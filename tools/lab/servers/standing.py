"""`lab up`, `lab down`, `lab status`: the demo's set of servers, left running.

Everything that is running is written into one state file; `down` ends what stands there, and only
if pid and start time still name the process that `up` started.
"""

import json
import shutil
from pathlib import Path

from lab.servers import admin
from lab.servers.cluster import Cluster
from lab.servers.fleet import BINLANE_USER, PASSWORD
from lab.machine.process import Process
from lab.machine.programs import REPOSITORY

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
    hosts = [("source", state["source"]), *((r["name"], r) for r in state["replicas"])]
    for kind in ("binlaned", "server"):
        for name, host in hosts:
            yield f"{name} {kind}", host[kind]


def _adopt(part):
    return Process(part["command"], part["pid_file"], part["log"], detached=True)


def up(json_path=None, timeout_ms=10_000):
    if _state() is not None:
        print(f"the lab is up already ({STATE_FILE}); ./dev lab down ends it")
        return 1
    cluster = Cluster(detached=True, timeout_ms=timeout_ms)
    STATE_FILE.parent.mkdir(exist_ok=True)
    # Written before anything runs, so that `down` can end a lab that came up only in part.
    STATE_FILE.write_text(json.dumps(describe(cluster), indent=2) + "\n")
    try:
        cluster.start()
    except BaseException:
        cluster.stop(remove=False)
        STATE_FILE.unlink()
        print(f"the lab did not come up; its logs are under {cluster.folder}")
        raise
    STATE_FILE.write_text(json.dumps(describe(cluster), indent=2) + "\n")
    _write(json_path, describe(cluster))
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
