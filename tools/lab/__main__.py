"""Command line of the lab; people call it through ./dev."""

import argparse
import signal
import sys

from . import demo, standing


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
    return getattr(standing, arguments.verb)(arguments.json)


if __name__ == "__main__":
    sys.exit(main())
