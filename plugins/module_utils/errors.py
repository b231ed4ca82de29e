# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few exceptions of this collection; C(runner.py) turns each into a failure that a person can act on."""

from __future__ import annotations

from typing import Any


class VirtualNodesError(Exception):
    """Base of all failures that are explained to the user.

    :ivar results: what the module shall return beside the message.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.results: dict[str, Any] = {}


class ConfigurationError(VirtualNodesError):
    """The input, or what was found in the cloud, does not allow the wish; the user can fix it. Raised before any write."""


class NotReady(VirtualNodesError):
    """Gave up waiting; the message says what was last seen."""


class AzureError(VirtualNodesError):
    """Azure said no.

    :param message: what the service wrote, as one sentence or more.
    :param code: the service's error code, such as C(OperationNotAllowed) or C(AADSTS700211).
    :param status: HTTP status, where there was a response.
    :param request_id: C(x-ms-request-id), which Microsoft's support asks for.
    :param hint: what the user can do, where we know.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int | None = None,
        request_id: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.request_id = request_id
        self.hint = hint

    def __str__(self) -> str:
        # Entra's messages begin with their code, ARM's do not.
        named = not self.code or self.message.startswith(self.code)
        parts = [self.message if named else f"{self.code}: {self.message}"]
        if self.hint:
            parts.append(self.hint)
        if self.request_id:
            parts.append(f"(request {self.request_id})")
        return " ".join(parts)


class KubernetesError(VirtualNodesError):
    """The Kubernetes API server said no.

    :param message: what the server wrote.
    :param reason: the server's machine-readable reason, such as C(Forbidden) or C(NotFound).
    :param status: HTTP status.
    """

    def __init__(self, message: str, *, reason: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
