"""What the kernel's network does with an interface: every reason to leave it where it is."""

import ipaddress

from . import netlink

INTERFACES = "/sys/class/net"
IFF_UP = 0x1


def peer_of_session(environment):
    """Our end's address of the SSH session that this process belongs to, or None."""
    words = environment.get("SSH_CONNECTION", "").split()
    if len(words) != 4:
        return None
    try:
        return ipaddress.ip_address(words[2].partition("%")[0])
    except ValueError:
        return None


class Network:
    def __init__(self, machine, addresses, routes, session=None):
        self.machine = machine
        self.addresses = addresses
        self.routes = routes
        self.session = session

    @classmethod
    def of(cls, machine, environment):
        return cls(machine, netlink.addresses(), netlink.routes(), peer_of_session(environment))

    def _index(self, interface):
        return self.machine.number(f"{INTERFACES}/{interface}/ifindex", -1)

    def is_up(self, interface):
        return bool(int(self.machine.read(f"{INTERFACES}/{interface}/flags", "0x0"), 16) & IFF_UP)

    def uppers(self, interface):
        """Bonds, bridges and VLANs on top of it, and what is on top of those."""
        found, waiting = [], [interface]
        while waiting:
            here = f"{INTERFACES}/{waiting.pop()}"
            names = [n.removeprefix("upper_") for n in self.machine.names(here) if n.startswith("upper_")]
            names += [name] if (name := self.machine.link(f"{here}/master")) else []
            for name in names:
                if name not in found:
                    found.append(name)
                    waiting.append(name)
        return found

    def addresses_of(self, interface):
        index = self._index(interface)
        return [each.text for each in self.addresses if each.interface == index]

    def routes_of(self, interface):
        index = self._index(interface)
        return [each for each in self.routes if each.interface == index]

    def carries_session(self, interface):
        """Directly, or as a member of the bond, bridge or VLAN that does."""
        if self.session is None:
            return False
        return any(
            ipaddress.ip_interface(text).ip == self.session
            for name in (interface, *self.uppers(interface))
            for text in self.addresses_of(name)
        )

    def reasons(self, interface):
        """Pairs: why the interface is in use, and what would change that."""
        found = []
        if self.carries_session(interface):
            found.append((
                f"{interface} carries the SSH session that you type in ({self.session})",
                "use another NIC, or a virtual function of this one (--vfs)",
            ))
        uppers = self.uppers(interface)
        if uppers:
            found.append((
                f"{interface} is part of {', '.join(uppers)}",
                f"take it out first: ip link set {interface} nomaster, or delete the VLAN",
            ))
        addresses = self.addresses_of(interface)
        if addresses:
            found.append((
                f"{interface} has the address {', '.join(addresses)}",
                f"if nothing needs it: ip addr flush dev {interface}; "
                "and take the interface out of the network configuration",
            ))
        routes = self.routes_of(interface)
        if routes:
            words = ", ".join(f"{each.text} (table {each.table})" for each in routes)
            found.append((
                f"{interface} is the way of the route {words}",
                f"if nothing needs it, delete the route: ip route show table all dev {interface}",
            ))
        if not found and self.is_up(interface):
            found.append((
                f"{interface} is switched on, so some program may use it",
                f"if nothing does: ip link set {interface} down",
            ))
        return found
