"""Command line of the lab; people call it through ./dev."""

import argparse
import signal
import sys

from . import bench_commit, chaos, demo, standing


def main():
    parser = argparse.ArgumentParser(prog="./dev", allow_abbrev=False)
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
    for name, text in (
        ("up", "start a source and two replicas and leave them running"),
        ("down", "end what `lab up` started"),
        ("status", "show what is running"),
    ):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument("--json", help="file for the description, instead of standard output")
    arguments = parser.parse_args()
    # Asked to end, clean up as for Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
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
    return getattr(standing, arguments.verb)(arguments.json)


if __name__ == "__main__":
    sys.exit(main())
