# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes that take an identity's federated credentials to the wished-for ones; pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from itertools import chain, count

from ..change import UNKNOWN, Change
from ..errors import ConfigurationError
from ..resources.federated_credential import CREDENTIALS_PER_IDENTITY, FederatedCredential, credential_id

_LONGEST_NAME = 120
_UNSAFE = re.compile(r"[^a-zA-Z0-9-]")


def credential_name(issuer: str, namespace: str, service_account: str) -> str:
    """A stable name for the credential of a ServiceAccount, different for each issuer.

    The digest keeps C(a-b)/C(c) and C(a)/C(b-c) apart, and one ServiceAccount in two clusters; it is not known before the issuer is.
    """
    digest = hashlib.sha256(f"{issuer}|{namespace}|{service_account}".encode()).hexdigest()[:10]
    if issuer == UNKNOWN:
        digest = UNKNOWN
    readable = _UNSAFE.sub("-", f"{namespace}-{service_account}")[: _LONGEST_NAME - len(digest) - 1]
    return f"{readable}-{digest}"


def plan_named(parent_id: str, observed: Sequence[FederatedCredential], wish: FederatedCredential) -> Change | None:
    """The change for one credential that the user named.

    :raises ConfigurationError: when another name holds the same issuer and subject, or the identity is full.
    """
    same_name = _by_name(observed).get(wish.name.lower())
    twin = next(
        (each for each in observed if each.trust == wish.trust and each.name.lower() != wish.name.lower()), None
    )
    if twin:
        raise ConfigurationError(
            f"Federated credential '{twin.name}' of this identity already has issuer '{wish.issuer}' and subject '{wish.subject}'; "
            f"the service allows the combination once. Use name '{twin.name}', or delete it first."
        )
    if same_name is None:
        check_room(parent_id, len(observed) + 1)
        return Change.create(credential_id(parent_id, wish.name), wish.state(parent_id))
    return _correct(parent_id, same_name, wish)


def plan_trusts(
    parent_id: str,
    observed: Sequence[FederatedCredential],
    wishes: Iterable[FederatedCredential],
    *,
    exclusive: bool = False,
) -> list[Change]:
    """The changes so that each wished-for issuer and subject is trusted, under whatever name it already has.

    :param exclusive: delete the others, but not the one that belongs to AKS: first when there is no room otherwise, else last, so that a
        failure does no harm.
    :raises ConfigurationError: when the identity would hold more credentials than the service allows.
    """
    wishes = list(dict.fromkeys(wishes))
    found = serving(observed, wishes)
    missing = [wish for wish in wishes if wish not in found]
    corrections = [_correct(parent_id, each, wish) for wish, each in found.items()]
    creations = _creations(parent_id, observed, missing)
    writes = [*(each for each in corrections if each), *creations]
    if not exclusive:
        if surely_new := sum(not _may_exist(wish, observed) for wish in missing):
            check_room(parent_id, len(observed) + surely_new)
        return writes
    kept = {*found.values(), *(each for each in observed if each.belongs_to_aks)}
    check_room(parent_id, len(kept) + len(missing))
    deletions = [_delete(parent_id, each) for each in observed if each not in kept]
    crowded = len(observed) + len(creations) > CREDENTIALS_PER_IDENTITY
    return [*deletions, *writes] if crowded else [*writes, *deletions]


def serving(
    observed: Sequence[FederatedCredential], wishes: Iterable[FederatedCredential]
) -> dict[FederatedCredential, FederatedCredential]:
    """Wish -> the credential that serves it: one with its trust, else the one of its name, unless that serves another wish."""
    by_trust = {wish.trust: wish for wish in wishes}
    found = {by_trust[each.trust]: each for each in observed if each.trust in by_trust}
    drifted = _by_name([each for each in observed if each.trust not in by_trust])
    for wish in by_trust.values():
        if wish not in found and wish.name.lower() in drifted:
            found[wish] = drifted[wish.name.lower()]
    return {wish: found[wish] for wish in by_trust.values() if wish in found}


def plan_removal(
    parent_id: str, observed: Sequence[FederatedCredential], wishes: Iterable[FederatedCredential]
) -> list[Change]:
    """Deletions of the credentials that trust the wishes' issuers and subjects; others stay."""
    unwanted = {wish.trust for wish in wishes}
    return [_delete(parent_id, each) for each in observed if each.trust in unwanted]


def check_room(parent_id: str, wanted: int) -> None:
    if wanted > CREDENTIALS_PER_IDENTITY:
        name = parent_id.rsplit("/", 1)[-1]
        raise ConfigurationError(
            f"Identity '{name}' would have {wanted} federated credentials; the service allows {CREDENTIALS_PER_IDENTITY} each. "
            "Spread the service accounts over several identities (in workload_identities, shard: true does so), "
            "or delete credentials that are no longer used."
        )


def _correct(parent_id: str, found: FederatedCredential, wish: FederatedCredential) -> Change | None:
    corrected = FederatedCredential(found.name, wish.issuer, wish.subject, wish.audiences)
    if corrected == found:
        return None
    return Change.update(credential_id(parent_id, found.name), found.state(parent_id), corrected.state(parent_id))


def _delete(parent_id: str, found: FederatedCredential) -> Change:
    return Change.delete(credential_id(parent_id, found.name), found.state(parent_id))


def _creations(
    parent_id: str, observed: Sequence[FederatedCredential], missing: Iterable[FederatedCredential]
) -> list[Change]:
    taken = set(_by_name(observed))
    changes = []
    for wish in missing:
        named = replace(wish, name=_free_name(wish.name, taken))
        taken.add(named.name.lower())
        changes.append(Change.create(credential_id(parent_id, named.name), named.state(parent_id)))
    return changes


def _free_name(name: str, taken: Container[str]) -> str:
    """The name, or with a number when somebody gave it to a credential that has to stay as it is."""
    numbered = (f"{name[: _LONGEST_NAME - len(suffix)]}{suffix}" for suffix in map("-{}".format, count(2)))
    return next(each for each in chain([name], numbered) if each.lower() not in taken)


def _may_exist(wish: FederatedCredential, observed: Sequence[FederatedCredential]) -> bool:
    """Of a wish whose issuer is not known yet, one cannot tell whether it is among the credentials of the same subject."""
    return wish.issuer == UNKNOWN and any(each.subject == wish.subject for each in observed)


def _by_name(credentials: Sequence[FederatedCredential]) -> dict[str, FederatedCredential]:
    return {each.name.lower(): each for each in credentials}
