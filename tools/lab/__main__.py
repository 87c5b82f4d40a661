"""Command line of the lab; people call it through ./dev."""

import argparse
import signal
import sys

from lab.bench import commit as bench_commit
from lab.chaos import command as chaos
from lab.demo import command as demo
from lab.servers import flavour, standing
from lab.servers.private_root import Unavailable

# The server cannot be had, or cannot be used for this yet.
EXIT_UNAVAILABLE = 3


def add_server_option(parser):
    parser.add_argument(
        "--server",
        choices=flavour.NAMES,
        help=f"which server to run on (default: {flavour.VARIABLE}, or {flavour.DEFAULT})",
    )


def chosen_is_known(parser):
    """What the environment says is checked like an option."""
    try:
        flavour.chosen()
    except ValueError as error:
        parser.error(f"{flavour.VARIABLE}: {error}")


def main():
    parser = argparse.ArgumentParser(prog="./dev", allow_abbrev=False)
    parser.add_argument("--only-check", action="store_true", help="look at the options, and end")
    verbs = parser.add_subparsers(dest="verb", required=True)
    demo_parser = verbs.add_parser("demo", help="show everything at work, and verify it")
    demo_parser.add_argument(
        "--seconds",
        type=int,
        default=demo.SECONDS_DEFAULT,
        help=f"length of the run under load, at least {demo.SECONDS_MIN} (default %(default)s)",
    )
    demo_parser.add_argument("--json", help="file for the result")
    chaos_parser = verbs.add_parser("chaos", help="kill and restart everything under load")
    chaos_parser.add_argument(
        "--minutes",
        type=float,
        default=chaos.MINUTES_DEFAULT,
        help="length of the run, verification not counted (default %(default)s)",
    )
    chaos_parser.add_argument("--json", help="file for the result")
    chaos_parser.add_argument("--seed", type=int, help="what happens to whom; drawn if not given")
    chaos_parser.add_argument("--port", choices=sorted(chaos.RUNS), default=chaos.PORT_DEFAULT)
    chaos_parser.add_argument("--keep", action="store_true", help="keep everything of a good run too")
    bench_parser = verbs.add_parser("bench-commit", help="the part of ./dev bench that needs servers")
    bench_parser.add_argument("--rounds", type=int, default=bench_commit.ROUNDS_DEFAULT)
    bench_parser.add_argument("--seconds", type=int, default=2, help="length of one cell")
    bench_parser.add_argument(
        "--budget",
        type=float,
        default=bench_commit.BUDGET_DEFAULT_S,
        help="seconds after which only what the ratios need is measured",
    )
    bench_parser.add_argument("--quick", action="store_true", help="fewer cells a round")
    bench_parser.add_argument("--json", required=True, help="file for the rows")
    fetch_parser = verbs.add_parser("fetch", help="have the server's programs ready")
    for with_server in (demo_parser, chaos_parser, bench_parser, fetch_parser):
        add_server_option(with_server)
    for name, text in (
        ("up", "start a source and two replicas, and leave them running"),
        ("down", "end what `lab up` started"),
        ("status", "show what is running"),
    ):
        verb = verbs.add_parser(name, help=text, prog=f"./dev lab {name}")
        verb.add_argument("--json", help="file for the description, instead of standard output")
        if name == "up":
            add_server_option(verb)
            verb.add_argument(
                "--hosts",
                type=int,
                choices=(3,),
                help="start three hosts instead, each of which may become the source: for trying "
                "promote, rejoin and verdict",
            )
    arguments = parser.parse_args()
    if getattr(arguments, "server", None):
        flavour.choose(arguments.server)
    chosen_is_known(parser)
    if arguments.only_check:
        return 0
    # Asked to end, clean up as for Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(arguments)
    except Unavailable as error:
        print(f"{flavour.chosen().name}: {error}", file=sys.stderr)
        return EXIT_UNAVAILABLE


def run(arguments):
    """The verb's exit status."""
    if arguments.verb == "fetch":
        # So that nobody waits for the server's programs later.
        flavour.chosen().ensure()
        return 0
    if arguments.verb == "demo":
        return demo.run(arguments.seconds, arguments.json)
    if arguments.verb == "chaos":
        return chaos.run(
            arguments.minutes, arguments.json, arguments.seed, arguments.port, arguments.keep
        )
    if arguments.verb == "bench-commit":
        return bench_commit.run(
            arguments.rounds, arguments.seconds, arguments.budget, arguments.quick, arguments.json
        )
    if arguments.verb == "up":
        return standing.up(arguments.json, may_be_source=arguments.hosts is not None)
    return getattr(standing, arguments.verb)(arguments.json)


if __name__ == "__main__":
    sys.exit(main())
