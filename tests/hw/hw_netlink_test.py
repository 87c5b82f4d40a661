"""What binlane-hw reads from the kernel's rtnetlink, in a network namespace of this test's own."""

import json
import shutil
import socket
import subprocess
import sys
import unittest

from hw_case import Network

TIMEOUT_S = 60
SET_UP = """\
ip link add eth1 type veth peer name eth2
ip link add eth3 type veth peer name eth4
ip link set eth1 up
ip link set eth2 up
ip link set eth3 up
ip link set eth4 up
ip addr add 10.9.0.1/24 dev eth1
ip addr add 2001:db8::1/64 dev eth1 nodad
ip route add 10.10.0.0/16 dev eth2 table 1000
ip -6 route add 2001:db8:1::/48 dev eth2 table 100
ip route add default table 7 nexthop dev eth2 nexthop dev eth3
"""


def in_namespace(script):
    """Its output, or why there is none."""
    command = ["unshare", "--user", "--map-root-user", "--net", "sh", "-euc", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return done.stdout, done.stderr


class Netlink(unittest.TestCase):
    def setUp(self):
        if not shutil.which("ip") or not shutil.which("unshare"):
            self.skipTest("no ip or unshare")
        if in_namespace("ip link add eth1 type veth peer name eth2")[1]:
            self.skipTest("no network namespace for this user")

    def test_addresses_and_routes_of_every_table(self):
        told, complained = in_namespace(SET_UP + f"exec {sys.executable} {__file__} found")
        self.assertEqual(complained, "")
        addresses, routes = json.loads(told)
        self.assertIn(["eth1", "10.9.0.1/24"], addresses)
        self.assertIn(["eth1", "2001:db8::1/64"], addresses)
        for route in (
            ["eth1", "10.9.0.0/24", 254],
            ["eth2", "10.10.0.0/16", 1000],
            ["eth2", "2001:db8:1::/48", 100],
            ["eth2", "default", 7],
            ["eth3", "default", 7],
        ):
            self.assertIn(route, routes)
        # The table `local` repeats the addresses.
        self.assertEqual([route for route in routes if route[2] == 255], [])


def found():
    """Printed by this program in the namespace: addresses and routes, with their interfaces' names."""
    network = Network.of(None, {})
    name = dict(socket.if_nameindex())
    return json.dumps([
        [[name[each.interface], each.text] for each in network.addresses],
        [[name[each.interface], each.text, each.table] for each in network.routes],
    ])


if __name__ == "__main__":
    if sys.argv[1:] == ["found"]:
        print(found())
    else:
        unittest.main()
