# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resolver of the virtual network (168.63.129.16 in Azure), over UDP and TCP on one free port.

It answers from the private zones that are linked to the network, and refuses everything else: the lab has no internet.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from lab.arm.private_dns import linked_zones
from lab.arm.private_dns_records import RECORD_TYPES
from lab.certificates import ADDRESS
from lab.cloud import Body, Cloud

# More is sent over TCP, if the client says no other size (EDNS).
LARGEST_DATAGRAM = 512
LONGEST_CHAIN = 8
_LENGTH = struct.Struct("!H")


class DnsResolver:
    def __init__(self, cloud: Cloud, network_id: str) -> None:
        self._cloud = cloud
        self._network_id = network_id
        self._udp, self._tcp = _sockets()
        self.address = f"{ADDRESS}:{self._udp.getsockname()[1]}"

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        transport, _protocol = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=self._udp)
        server = await asyncio.start_server(self._converse, sock=self._tcp)
        try:
            yield
        finally:
            transport.close()
            server.close()

    def answer(self, wire: bytes, largest: int) -> bytes | None:
        """None for what is no question."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if query.flags & dns.flags.QR:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
        else:
            self._fill(response, query.question[0].name, query.question[0].rdtype)
        size = largest if largest > LARGEST_DATAGRAM else max(query.payload or 0, LARGEST_DATAGRAM)
        try:
            return response.to_wire(max_size=size)
        except dns.exception.TooBig:
            truncated = dns.message.make_response(query, recursion_available=True)
            truncated.flags |= dns.flags.TC
            return truncated.to_wire()

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        for _link in range(LONGEST_CHAIN):
            zone = self._zone(name)
            if zone is None:
                if not response.answer:
                    response.set_rcode(dns.rcode.REFUSED)
                return
            records = self._records(zone, name)
            if kind in records:
                response.answer.append(records[kind])
                return
            alias = records.get(dns.rdatatype.CNAME)
            if alias is None:
                if not records:
                    response.set_rcode(dns.rcode.NXDOMAIN)
                soa = self._records(zone, dns.name.from_text(zone["name"])).get(dns.rdatatype.SOA)
                response.authority += [soa] if soa else []
                return
            response.answer.append(alias)
            name = alias[0].target

    def _zone(self, name: dns.name.Name) -> Body | None:
        """The linked zone that the name is in; the longest if there are several."""
        zones = [
            each
            for each in linked_zones(self._cloud, self._network_id)
            if name.is_subdomain(dns.name.from_text(each["name"]))
        ]
        return max(zones, key=lambda zone: len(str(zone["name"]).split(".")), default=None)

    def _records(self, zone: Body, name: dns.name.Name) -> dict[dns.rdatatype.RdataType, dns.rrset.RRset]:
        relative = name.relativize(dns.name.from_text(zone["name"]))
        own = "@" if relative == dns.name.empty else relative.to_text()
        found = self._sets(zone, own)
        if found or own == "@":
            return {each: _rrset(name, each, record) for each, record in found.items()}
        wildcard = self._sets(zone, ".".join(["*", *own.split(".")[1:]]))
        return {each: _rrset(name, each, record) for each, record in wildcard.items()}

    def _sets(self, zone: Body, name: str) -> dict[dns.rdatatype.RdataType, Body]:
        records = {each: self._cloud.find(f"{zone['id']}/{each}/{name}") for each in RECORD_TYPES}
        return {dns.rdatatype.from_text(each): record for each, record in records.items() if record}

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
                reply = self.answer(await reader.readexactly(length), 65_535)
                if reply is None:
                    break
                writer.write(_LENGTH.pack(len(reply)) + reply)
                await writer.drain()
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, resolver: DnsResolver) -> None:
        self._resolver = resolver
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._resolver.answer(data, LARGEST_DATAGRAM)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


def _rrset(name: dns.name.Name, kind: dns.rdatatype.RdataType, record: Body) -> dns.rrset.RRset:
    properties = record["properties"]
    values = properties[RECORD_TYPES[dns.rdatatype.to_text(kind)]]
    texts = [_text(kind, each) for each in (values if isinstance(values, list) else [values])]
    return dns.rrset.from_text(name, properties["ttl"], dns.rdataclass.IN, kind, *texts)


def _text(kind: dns.rdatatype.RdataType, value: Body) -> str:
    """In the form of a zone file."""
    match dns.rdatatype.to_text(kind):
        case "A":
            return str(value["ipv4Address"])
        case "AAAA":
            return str(value["ipv6Address"])
        case "CNAME":
            return _absolute(value["cname"])
        case "MX":
            return f"{value['preference']} {_absolute(value['exchange'])}"
        case "PTR":
            return _absolute(value["ptrdname"])
        case "SRV":
            return f"{value['priority']} {value['weight']} {value['port']} {_absolute(value['target'])}"
        case "SOA":
            numbers = ("serialNumber", "refreshTime", "retryTime", "expireTime", "minimumTtl")
            return " ".join(
                [_absolute(value["host"]), _absolute(value["email"]), *(str(value[number]) for number in numbers)]
            )
    quoted = (each.replace("\\", "\\\\").replace('"', '\\"') for each in value["value"])
    return " ".join(f'"{each}"' for each in quoted)


def _absolute(name: str) -> str:
    return f"{name.rstrip('.')}."


def _sockets() -> tuple[socket.socket, socket.socket]:
    """For UDP and TCP, with the same number."""
    while True:
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.bind((ADDRESS, 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind((ADDRESS, tcp.getsockname()[1]))
        except OSError:
            tcp.close()
            udp.close()
            continue
        udp.setblocking(False)
        return udp, tcp
