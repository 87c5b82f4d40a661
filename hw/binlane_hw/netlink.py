"""All addresses and all routes of every table and family, asked of the kernel by rtnetlink."""

import ipaddress
import os
import socket
import struct
from dataclasses import dataclass

RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
NLM_F_REQUEST, NLM_F_DUMP = 0x001, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF, RTA_MULTIPATH, RTA_TABLE = 1, 4, 9, 15
RT_TABLE_LOCAL = 255
HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, interface
ROUTE = struct.Struct("=BBBBBBBBI")  # family, dst_len, src_len, tos, table, protocol, scope, type, flags
ATTRIBUTE = struct.Struct("=HH")  # length, type
NEXT_HOP = struct.Struct("=HBBi")  # length, flags, hops, interface
RECEIVE_BYTES = 1 << 17
TYPE_MASK = 0x3FFF


@dataclass(frozen=True)
class Address:
    interface: int  # its index
    text: str  # 10.0.0.1/24


@dataclass(frozen=True)
class Route:
    interface: int
    text: str  # 10.0.0.0/24 or default
    table: int


def aligned(length):
    return length + 3 & ~3


def attributes(data):
    found, at = {}, 0
    while at + ATTRIBUTE.size <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, at)
        if length < ATTRIBUTE.size:
            break
        found[kind & TYPE_MASK] = data[at + ATTRIBUTE.size : at + length]
        at += aligned(length)
    return found


def dump(request, answer, body):
    """The bodies of all messages of the type `answer` in the kernel's dump."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        link.bind((0, 0))
        header = HEADER.pack(HEADER.size + len(body), request, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
        link.send(header + body)
        while True:
            data, at = link.recv(RECEIVE_BYTES), 0
            while at + HEADER.size <= len(data):
                length, kind, *_ = HEADER.unpack_from(data, at)
                content = data[at + HEADER.size : at + length]
                at += aligned(length)
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    code = -struct.unpack_from("=i", content)[0]
                    raise OSError(code, f"rtnetlink: {os.strerror(code)}")
                if kind == answer:
                    yield content


def parse_address(content):
    family, prefix, _, _, interface = ADDRESS.unpack_from(content)
    found = attributes(content[ADDRESS.size :])
    raw = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS)
    if family not in (socket.AF_INET, socket.AF_INET6) or raw is None:
        return None
    return Address(interface, f"{ipaddress.ip_address(raw)}/{prefix}")


def parse_routes(content):
    """One for each interface that the route leads to."""
    family, prefix, _, _, table, *_ = ROUTE.unpack_from(content)
    found = attributes(content[ROUTE.size :])
    if RTA_TABLE in found:
        table = struct.unpack("=I", found[RTA_TABLE])[0]
    out = [struct.unpack("=i", found[RTA_OIF])[0]] if RTA_OIF in found else []
    hops, at = found.get(RTA_MULTIPATH, b""), 0
    while at + NEXT_HOP.size <= len(hops):
        length, _, _, interface = NEXT_HOP.unpack_from(hops, at)
        out.append(interface)
        at += aligned(max(length, NEXT_HOP.size))
    text = "default"
    if prefix and family in (socket.AF_INET, socket.AF_INET6) and RTA_DST in found:
        text = f"{ipaddress.ip_address(found[RTA_DST])}/{prefix}"
    return [Route(interface, text, table) for interface in out]


def addresses():
    found = map(parse_address, dump(RTM_GETADDR, RTM_NEWADDR, ADDRESS.pack(0, 0, 0, 0, 0)))
    return [address for address in found if address is not None]


def routes():
    """Without the table `local`, which only repeats the addresses, and IPv6's multicast routes, which
    every interface that is up has."""
    body = ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)
    found = [route for content in dump(RTM_GETROUTE, RTM_NEWROUTE, body) for route in parse_routes(content)]
    return [route for route in found if route.table != RT_TABLE_LOCAL]
