"""The command line: verbs, options, and what each value may be."""

import argparse

from . import cores, hugepages, kernel_modules, pci
from . import state as state_file
from .request import DEFAULT_GROUP

COUNT_MOST = 1 << 20


def address(text):
    found = pci.full_address(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no PCI address such as 0000:01:00.0")
    return found


def count(text):
    if not text.isdigit() or not 0 < int(text) <= COUNT_MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no count")
    return int(text)


def pages(text):
    node, equals, number = text.rpartition("=")
    if equals and not node.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is neither COUNT nor NODE=COUNT")
    return (int(node) if equals else None), count(number)


def functions(text):
    device, _, number = text.rpartition("=")
    return address(device), count(number)


def core_list(text):
    try:
        return cores.text_of(cores.parse(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_driver(parser):
    parser.add_argument("--driver", choices=kernel_modules.DRIVERS, default="vfio-pci")
    parser.add_argument("--group", default=DEFAULT_GROUP, help="who may open the devices (binlane)")
    parser.add_argument("--no-iommu", action="store_true", help="VFIO without protection of memory")


def add_request(parser):
    parser.add_argument("--nic", type=address, action="append", default=[], metavar="ADDRESS")
    parser.add_argument(
        "--vfs", type=functions, action="append", default=[], metavar="ADDRESS=COUNT",
        help="make virtual functions, and give those to DPDK; the NIC itself stays with the kernel",
    )
    parser.add_argument(
        "--hugepages", type=pages, action="append", default=[], metavar="[NODE=]COUNT",
        help="in addition to those that are there; without a node: where the first NIC is",
    )
    parser.add_argument("--page-size", choices=tuple(hugepages.SIZES_KIB), default="2M")
    parser.add_argument("--cores", type=core_list, metavar="LIST", help="for the proposals")
    add_driver(parser)


def parser():
    top = argparse.ArgumentParser(
        prog="binlane-hw", description="Gives NICs to DPDK, and takes them back.", allow_abbrev=False
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, text):
        made = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        made.add_argument("--state-dir", default=state_file.FOLDER, help="of the record (%(default)s)")
        return made

    add_request(verb("plan", "prints the commands that `up` would carry out, and proposals"))
    add_request(verb("up", "gives NICs and huge pages to DPDK"))
    verb("down", "restores what was found before")
    show = verb("status", "shows NICs, huge pages, and what is given to DPDK")
    show.add_argument("--json", action="store_true")
    bind = verb("bind", "gives one NIC to DPDK")
    bind.add_argument("nic", type=address, metavar="ADDRESS")
    add_driver(bind)
    unbind = verb("unbind", "restores one NIC")
    unbind.add_argument("nic", type=address, metavar="ADDRESS")
    for name in ("down", "bind", "unbind"):
        verbs.choices[name].add_argument(
            "--dry-run", action="store_true", help="prints the commands instead"
        )
    return top
