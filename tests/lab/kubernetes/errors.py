# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's refusals: a Status object with the HTTP code, in the words of k8s.io/apimachinery/pkg/api/errors."""

from __future__ import annotations

from typing import Any

from lab.kubernetes.registry import Kind


class StatusError(Exception):
    """Answered as a Status object."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            **({"details": details} if details else {}),
            "code": code,
        }


def _details(kind: Kind, name: str, **more: Any) -> dict[str, Any]:
    group = {"group": kind.group} if kind.group else {}
    return {"name": name, **group, "kind": kind.plural, **more}


def not_found(kind: Kind, name: str) -> StatusError:
    return StatusError(404, "NotFound", f'{kind.qualified} "{name}" not found', _details(kind, name))


def already_exists(kind: Kind, name: str) -> StatusError:
    return StatusError(409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', _details(kind, name))


def conflict(kind: Kind, name: str, why: str) -> StatusError:
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(kind, name))


def modified(kind: Kind, name: str) -> StatusError:
    return conflict(
        kind, name, "the object has been modified; please apply your changes to the latest version and try again"
    )


def forbidden(kind: Kind, name: str, why: str) -> StatusError:
    return StatusError(403, "Forbidden", f'{kind.qualified} "{name}" is forbidden: {why}', _details(kind, name))


def invalid(kind: Kind, name: str, causes: list[tuple[str, str]]) -> StatusError:
    """
    :param causes: pairs of field path and sentence, as C(("spec.replicas", "Invalid value: -1: must be …")).
    """
    listed = [f"{field}: {why}" for field, why in causes]
    summary = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
    group = {"group": kind.group} if kind.group else {}
    details = {
        "name": name,
        **group,
        "kind": kind.kind,
        "causes": [{"reason": _cause(why), "message": why, "field": field} for field, why in causes],
    }
    qualified = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    return StatusError(422, "Invalid", f'{qualified} "{name}" is invalid: {summary}', details)


def _cause(why: str) -> str:
    beginnings = {
        "Required": "FieldValueRequired",
        "Unsupported": "FieldValueNotSupported",
        "Forbidden": "FieldValueForbidden",
    }
    return next((reason for start, reason in beginnings.items() if why.startswith(start)), "FieldValueInvalid")


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def expired(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def no_such_path() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def method_not_allowed() -> StatusError:
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def internal(why: str) -> StatusError:
    message = f"Internal error occurred: {why}"
    return StatusError(500, "InternalError", message, {"causes": [{"message": why}]})
