# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes that take an identity's federated credentials to the wished-for ones; pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

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
        (each for each in observed if _trust(each) == _trust(wish) and each.name.lower() != wish.name.lower()), None
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
    parent_id: str, observed: Sequence[FederatedCredential], wishes: Iterable[FederatedCredential]
) -> list[Change]:
    """The changes so that each wished-for issuer and subject is trusted, under whatever name it already has.

    :raises ConfigurationError: when the identity would hold more credentials than the service allows.
    """
    by_trust = {_trust(each): each for each in observed}
    by_name = _by_name(observed)
    changes = []
    created = 0
    for wish in wishes:
        found = by_trust.get(_trust(wish)) or by_name.get(wish.name.lower())
        if found is None:
            created += 1
            changes.append(Change.create(credential_id(parent_id, wish.name), wish.state(parent_id)))
        elif correction := _correct(parent_id, found, wish):
            changes.append(correction)
    if created:
        check_room(parent_id, len(observed) + created)
    return changes


def plan_removal(
    parent_id: str, observed: Sequence[FederatedCredential], wishes: Iterable[FederatedCredential]
) -> list[Change]:
    """Deletions of the credentials that trust the wishes' issuers and subjects; others stay."""
    unwanted = {_trust(wish) for wish in wishes}
    return [
        Change.delete(credential_id(parent_id, each.name), each.state(parent_id))
        for each in observed
        if _trust(each) in unwanted
    ]


def check_room(parent_id: str, wanted: int) -> None:
    if wanted > CREDENTIALS_PER_IDENTITY:
        name = parent_id.rsplit("/", 1)[-1]
        raise ConfigurationError(
            f"Identity '{name}' would have {wanted} federated credentials; the service allows {CREDENTIALS_PER_IDENTITY} each. "
            "Spread the service accounts over several identities, or delete credentials that are no longer used."
        )


def _correct(parent_id: str, found: FederatedCredential, wish: FederatedCredential) -> Change | None:
    corrected = FederatedCredential(found.name, wish.issuer, wish.subject, wish.audiences)
    if corrected == found:
        return None
    return Change.update(credential_id(parent_id, found.name), found.state(parent_id), corrected.state(parent_id))


def _trust(credential: FederatedCredential) -> tuple[str, str]:
    return credential.issuer, credential.subject


def _by_name(credentials: Sequence[FederatedCredential]) -> dict[str, FederatedCredential]:
    return {each.name.lower(): each for each in credentials}
