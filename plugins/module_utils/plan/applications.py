# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an application of the role C(workload_identity) is to be, with every default filled in, and who shares what; pure.

The options are those of the role's argument specification, which has checked them for being there and for their types. Ansible hands on
the values as they were written, so numbers and switches are read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from .listing import doubled

_SHORTEST_TOKEN_S, _LONGEST_TOKEN_S = 3600, 86400


@dataclass(frozen=True)
class Application:
    """
    :ivar tags: of the identity; None leaves them as they are.
    :ivar token_expiration_seconds: None for the webhook's default.
    """

    name: str
    namespace: str
    service_account: str
    identity: str
    federation: str
    shard: bool
    tags: Mapping[str, str] | None
    role_assignments: Sequence[Mapping[str, Any]]
    token_expiration_seconds: int | None

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def account(self) -> str:
        return f"{self.namespace}/{self.service_account}"

    @property
    def bound(self) -> bool:
        return self.federation == "binding"


def applications(given: Sequence[Mapping[str, Any]]) -> list[Application]:
    return [_application(each) for each in given]


def _application(given: Mapping[str, Any]) -> Application:
    identity = given.get("identity") or {}
    seconds = given.get("token_expiration_seconds")
    return Application(
        name=given["name"],
        namespace=given["namespace"],
        service_account=given.get("service_account") or given["name"],
        identity=identity.get("name") or given["name"],
        federation=identity.get("federation") or "credential",
        shard=boolean(identity.get("shard") or False),
        tags=identity.get("tags"),
        role_assignments=identity.get("role_assignments") or [],
        token_expiration_seconds=None if seconds in (None, "") else int(seconds),
    )


def by_identity(given: Sequence[Application]) -> list[list[Application]]:
    """Applications that share an identity. Names of identities do not depend on case in Azure."""
    return _groups(given, lambda each: each.identity.lower())


def by_account(given: Sequence[Application]) -> list[list[Application]]:
    """Applications that share a ServiceAccount."""
    return _groups(given, lambda each: each.account)


def by_namespace(given: Sequence[Application]) -> list[list[Application]]:
    return _groups(given, lambda each: each.namespace)


def _groups(given: Sequence[Application], key: Callable[[Application], str]) -> list[list[Application]]:
    """In the order of the keys, so that the same applications give the same lists however they are ordered."""
    groups: dict[str, list[Application]] = {}
    for each in given:
        groups.setdefault(key(each), []).append(each)
    return [groups[name] for name in sorted(groups)]


def problems(given: Sequence[Application]) -> list[str]:
    """What no argument specification can show to be wrong, as sentences: field, value, rule, way out."""
    return [
        *doubled(sorted(map(str, given))),
        *(problem for group in by_identity(given) for problem in _identity_problems(group)),
        *(problem for group in by_account(given) for problem in _account_problems(group)),
    ]


def _identity_problems(group: Sequence[Application]) -> Iterator[str]:
    if len({each.federation for each in group}) > 1:
        yield (
            f"Identity {group[0].identity} is given different federation by the applications that share it: "
            f"{', '.join(map(str, group))}. Give each of them the same."
        )


def _account_problems(group: Sequence[Application]) -> Iterator[str]:
    subject = f"ServiceAccount {group[0].account} (namespace/name)"
    if len({each.identity.lower() for each in group}) > 1:
        yield (
            f"{subject} is to use the identities {' and '.join(each.identity for each in group)}, but it is annotated with "
            "one client id. Give each application a service_account of its own, or the same identity."
        )
    if len({each.token_expiration_seconds for each in group}) > 1:
        yield (
            f"{subject} is given different token_expiration_seconds by the applications that share it. "
            "Give each of them the same."
        )
    seconds = group[0].token_expiration_seconds
    if seconds is not None and not _SHORTEST_TOKEN_S <= seconds <= _LONGEST_TOKEN_S:
        yield (
            f"token_expiration_seconds of {subject} is {seconds}; "
            f"it must be from {_SHORTEST_TOKEN_S} to {_LONGEST_TOKEN_S}."
        )
