# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof that Services are found by name: their load balancers have addresses, and the zone has records with them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .change import UNKNOWN
from .errors import ConfigurationError, NotReady
from .kube.load_balancer import address_of, service_key, wait_for_addresses
from .kube.objects import Manifest, ObjectClient, ObjectKey
from .kube.pods import why_not_ready
from .plan.dns_ownership import Owners
from .resources import private_dns_zone
from .resources.dns_names import relative_name
from .resources.private_dns_zone import RecordSet
from .waiting import Deadline

if TYPE_CHECKING:
    from .arm.session import Session

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 5.0
# A record and the one that names its owner go together; one that names the owner of nothing is left behind by external-dns for ever.
# So long they may take, in seconds.
ORPHAN_GRACE_S = 15.0
# How far back in the log of external-dns its last error is looked for, in lines.
_LOG_LINES = 200
_ERROR_LINE = re.compile(r'level=(?:error|fatal) msg=("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True)
class Host:
    """A Service and the name that it shall be found by."""

    namespace: str
    service: str
    hostname: str

    def relative(self, zone: str) -> str:
        """The name within the zone.

        :raises ConfigurationError: when it is not in the zone.
        """
        name = relative_name(self.hostname.rstrip("."), zone)
        if name is None:
            raise ConfigurationError(
                f"hostname '{self.hostname}' of Service '{self.namespace}/{self.service}' is not in zone '{zone}'."
            )
        return name


@dataclass(frozen=True)
class Zone:
    """Where the records are.

    :ivar owner_id: what external-dns was given as C(--txt-owner-id).
    """

    resource_group: str
    name: str
    owner_id: str


@dataclass(frozen=True)
class ExternalDns:
    """Where external-dns runs, for the explanation of what it did not do; its pods are those with this label C(app.kubernetes.io/name)."""

    namespace: str
    name: str


class Check:
    """One check of some hosts."""

    def __init__(
        self, session: Session, client: ObjectClient, zone: Zone, hosts: Sequence[Host], external_dns: ExternalDns
    ) -> None:
        self._session = session
        self._client = client
        self._zone = zone
        self._hosts = {host: host.relative(zone.name) for host in hosts}
        self._external_dns = external_dns

    def predicted(self) -> list[dict[str, Any]]:
        """What is known before anything has been made."""
        services = self._client.read([_key(host) for host in self._hosts])
        return [_result(host, address_of(services.get(_key(host), {})) or UNKNOWN, None, 0.0) for host in self._hosts]

    def wait_present(self, deadline: Deadline) -> list[dict[str, Any]]:
        """Wait for the addresses, and then for records with them.

        :raises NotReady: at the deadline, or at once where external-dns will never write a record, with what stands in the way.
        """
        addresses = wait_for_addresses(self._client, {_key(host) for host in self._hosts}, deadline)
        pending = dict(self._hosts)
        results: dict[Host, dict[str, Any]] = {}
        pause = _FIRST_PAUSE_S
        while True:
            records = private_dns_zone.list_records(self._session, self._zone.resource_group, self._zone.name)
            by_key = {record.key: record for record in records}
            for host, relative in list(pending.items()):
                found = by_key.get((relative, "A"))
                if found and addresses[_key(host)] in found.values:
                    results[host] = _result(host, addresses[_key(host)], found, deadline.elapsed)
                    del pending[host]
            if not pending:
                return [results[host] for host in self._hosts]
            held = self._held(pending, by_key, Owners(records))
            if held or deadline.over:
                raise NotReady(self._explain(pending, addresses, held, deadline))
            deadline.pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def wait_absent(self, deadline: Deadline) -> None:
        """Wait until external-dns has taken back its records of these names; those of others stay.

        :raises NotReady: at the deadline.
        """
        pause = _FIRST_PAUSE_S
        while left := self._left(orphans=deadline.elapsed < ORPHAN_GRACE_S):
            if deadline.over:
                raise NotReady(
                    f"After {deadline.elapsed:.0f} s zone '{self._zone.name}' still has the records of {', '.join(left)}, which external-dns "
                    f"should have deleted. {self._external_dns_state()}"
                )
            deadline.pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _left(self, *, orphans: bool) -> list[str]:
        """The hosts that external-dns still has records of.

        :param orphans: also those of which only the record is left that names the owner.
        """
        records = private_dns_zone.list_records(self._session, self._zone.resource_group, self._zone.name)
        owners, there = Owners(records), {record.key for record in records}
        return [
            host.hostname
            for host, relative in self._hosts.items()
            if (owner := owners.of(relative, "A")) is not None
            and owner.id == self._zone.owner_id
            and (orphans or (relative, "A") in there)
        ]

    def _held(
        self, pending: Mapping[Host, str], records: Mapping[tuple[str, str], RecordSet], owners: Owners
    ) -> dict[Host, str]:
        """Records that external-dns leaves alone because they are not its own, with who holds them."""
        held = {}
        for host, relative in pending.items():
            found = records.get((relative, "A"))
            if found is None:
                continue
            owner = owners.of(relative, "A")
            if owner is None:
                held[host] = (
                    f"its record ({', '.join(found.values)}) was not made by external-dns, which leaves it alone: no TXT record beside it "
                    "names an owner. Delete the record, or choose another hostname."
                )
            elif owner.id != self._zone.owner_id:
                held[host] = (
                    f"its record ({', '.join(found.values)}) belongs to the owner '{owner.id}' ({owner.resource or 'resource unknown'}), and "
                    f"external-dns with the owner id '{self._zone.owner_id}' leaves it alone. Choose another hostname, or take the record "
                    "away there."
                )
        return held

    def _explain(
        self,
        pending: Mapping[Host, str],
        addresses: Mapping[ObjectKey, str],
        held: Mapping[Host, str],
        deadline: Deadline,
    ) -> str:
        lines = [
            f"{host.hostname} ({addresses[_key(host)]}): "
            + held.get(host, f"zone '{self._zone.name}' has no record with this address.")
            for host in pending
        ]
        state = "" if len(held) == len(pending) else f" {self._external_dns_state()}"
        return f"Not found by name after {deadline.elapsed:.0f} s. {' | '.join(lines)}{state}"

    def _external_dns_state(self) -> str:
        """How external-dns is, and what it last complained of."""
        where = f"{self._external_dns.namespace}/{self._external_dns.name}"
        pods = self._client.pods(self._external_dns.namespace, {"app.kubernetes.io/name": self._external_dns.name})
        if not pods:
            return f"external-dns ({where}) has no pod."
        reasons = [str(why) for pod in pods if (why := why_not_ready(pod.get("status") or {}))]
        state = f"is not ready: {'; '.join(reasons)}." if reasons else "is running."
        said = next((line for pod in pods if (line := self._last_error(pod))), "")
        return f"external-dns ({where}) {state}" + (f" It last said: {said}" if said else " Its log has no error.")

    def _last_error(self, pod: Manifest) -> str:
        metadata = pod["metadata"]
        log = self._client.log(metadata["namespace"], metadata["name"], _LOG_LINES)
        found = _ERROR_LINE.findall(log)
        return str(json.loads(found[-1])) if found else ""


def distinct(hosts: Iterable[Host]) -> list[Host]:
    """
    :raises ConfigurationError: when two Services are to have the same name: their records would be merged.
    """
    listed = list(hosts)
    for host in listed:
        twins = [each for each in listed if each.hostname.lower() == host.hostname.lower()]
        if len(twins) > 1:
            names = ", ".join(f"{each.namespace}/{each.service}" for each in twins)
            raise ConfigurationError(f"hosts: hostname '{host.hostname}' is given to several Services: {names}.")
    return listed


def _key(host: Host) -> ObjectKey:
    return service_key(host.namespace, host.service)


def _result(host: Host, address: str, record: RecordSet | None, seconds: float) -> dict[str, Any]:
    return {
        "namespace": host.namespace,
        "service": host.service,
        "hostname": host.hostname,
        "address": address,
        "ttl": record.ttl if record else 0,
        "seconds": round(seconds, 1),
    }
