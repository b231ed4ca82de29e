# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof that workload identity works: for each ServiceAccount, the exchange that its pods will make."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .arm.exchange import exchange
from .change import State
from .errors import AzureError, ConfigurationError
from .kube.connection import MOST_CONNECTIONS
from .kube.service_account import annotated_client_id, request_token
from .parallel import parallel
from .plan.diagnosis import (
    PROPAGATION_CODES,
    Claims,
    Finding,
    check_annotation,
    check_clock,
    compare,
    explain_refusal,
    read_claims,
)
from .resources import federated_credential, user_assigned_identity
from .waiting import Deadline

if TYPE_CHECKING:
    from .arm.session import Session

# Exchanges under way at once.
WORKERS = MOST_CONNECTIONS

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True)
class Check:
    """Which ServiceAccount shall be able to act as which identity.

    :ivar client_id: show the token as this client instead of the identity's own.
    """

    identity: str
    namespace: str
    service_account: str
    audience: str = federated_credential.DEFAULT_AUDIENCE
    client_id: str = ""

    def validate(self) -> None:
        """
        :raises ConfigurationError: for names that Azure or Kubernetes do not allow.
        """
        user_assigned_identity.validate_name(self.identity)
        federated_credential.service_account_subject(self.namespace, self.service_account)


@dataclass(frozen=True)
class Verdict:
    """What came of a check. C(findings) says what does not match, C(error) holds Entra's own words."""

    check: Check
    claims: Claims
    client_id: str
    attempts: int
    seconds: float
    findings: tuple[Finding, ...] = ()
    error: AzureError | None = None

    @property
    def valid(self) -> bool:
        return not self.findings and self.error is None

    def as_result(self) -> dict[str, Any]:
        return {
            "identity": self.check.identity,
            "namespace": self.check.namespace,
            "service_account": self.check.service_account,
            "client_id": self.client_id,
            "issuer": self.claims.issuer,
            "subject": self.claims.subject,
            "audience": self.check.audience,
            "valid": self.valid,
            "attempts": self.attempts,
            "seconds": round(self.seconds, 1),
            "findings": [asdict(each) for each in self.findings],
            "error_code": self.error.code if self.error else "",
            "error": self.error.message if self.error else "",
        }

    @property
    def sentence(self) -> str:
        """The failure in one line."""
        account = f"{self.check.namespace}/{self.check.service_account}"
        causes = " ".join(each.message for each in self.findings) or "No cause was found."
        said = f" Entra answered {self.error}" if self.error else ""
        return f"ServiceAccount '{account}' cannot act as identity '{self.check.identity}': {causes}{said}"


def check_all(
    session: Session, client: Any, resource_group: str, checks: Sequence[Check], deadline: Deadline
) -> list[Verdict]:
    """
    :param client: C(kubernetes.dynamic.DynamicClient).
    :raises ConfigurationError: when an identity does not exist.
    """
    for check in checks:
        check.validate()
    identities = _identities(session, resource_group, [check.identity for check in checks])

    def one(check: Check) -> Verdict:
        return _check(session, client, resource_group, check, identities[check.identity.lower()], deadline)

    return parallel(one, checks, WORKERS)


def _identities(session: Session, resource_group: str, names: Sequence[str]) -> dict[str, State]:
    """By lower-case name; one read, or the pages of one list where there are several."""
    wanted = {name.lower(): name for name in names}
    if len(wanted) == 1:
        only = user_assigned_identity.read(session, resource_group, names[0])
        found = {names[0].lower(): only} if only else {}
    else:
        found = {
            str(each["name"]).lower(): each for each in user_assigned_identity.each_in_group(session, resource_group)
        }
    for key, name in wanted.items():
        if key not in found:
            raise ConfigurationError(
                f"Identity '{name}' does not exist in resource group '{resource_group}'; create it before it is checked."
            )
    return found


def _check(
    session: Session, client: Any, resource_group: str, check: Check, identity: State, deadline: Deadline
) -> Verdict:
    client_id = check.client_id or str(identity["client_id"])
    annotated = annotated_client_id(client, check.namespace, check.service_account)
    annotation = check_annotation(annotated, client_id, f"{check.namespace}/{check.service_account}", check.identity)
    attempts = 0
    pause = _FIRST_PAUSE_S
    while True:
        attempts += 1
        token = request_token(client, check.namespace, check.service_account, check.audience)
        claims = read_claims(token)
        refusal = _refusal(session, identity, client_id, token)
        if refusal is None:
            return Verdict(check, claims, client_id, attempts, deadline.elapsed, tuple(annotation))
        trusted = federated_credential.list_of(session, resource_group, check.identity)
        findings = [
            *_own_client(check, identity),
            *compare(claims, trusted, check.identity),
            *check_clock(claims, time.time()),
        ]
        if findings or refusal.code not in PROPAGATION_CODES or deadline.over:
            findings = findings or explain_refusal(refusal.code, claims, client_id, str(identity["tenant_id"]))
            return Verdict(check, claims, client_id, attempts, deadline.elapsed, (*annotation, *findings), refusal)
        deadline.pause(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _refusal(session: Session, identity: State, client_id: str, token: str) -> AzureError | None:
    try:
        exchange(session.cloud, str(identity["tenant_id"]), client_id, token)
    except AzureError as error:
        return error
    return None


def _own_client(check: Check, identity: State) -> list[Finding]:
    if not check.client_id or check.client_id == identity["client_id"]:
        return []
    return [
        Finding(
            "client_id",
            f"The token was shown as client '{check.client_id}', but identity '{check.identity}' is '{identity['client_id']}'.",
        )
    ]
