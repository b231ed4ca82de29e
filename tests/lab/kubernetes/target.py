# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the path of a request names."""

from __future__ import annotations

from dataclasses import dataclass

from lab.kubernetes import errors
from lab.kubernetes.registry import Kind, by_plural

# Paths below a namespace that are subresources of the namespace, and not kinds within it.
_OF_NAMESPACES = ("status", "finalize")


@dataclass(frozen=True)
class Target:
    """
    :ivar namespace: empty for what is outside namespaces, and for requests to all of them.
    :ivar name: empty for a collection.
    """

    kind: Kind
    namespace: str
    name: str
    subresource: str = ""


def parse(group: str, version: str, rest: str) -> Target:
    """
    :param rest: what follows the version in the path.
    :raises StatusError: 404 for what the API server does not have.
    """
    parts = [part for part in rest.split("/") if part]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces" and not (len(parts) == 3 and parts[2] in _OF_NAMESPACES):
        namespace, parts = parts[1], parts[2:]
    if not 1 <= len(parts) <= 3:
        raise errors.no_such_path()
    kind = by_plural(group, version, parts[0])
    if kind is None or (namespace and not kind.namespaced):
        raise errors.no_such_path()
    name = parts[1] if len(parts) > 1 else ""
    if name and kind.namespaced and not namespace:
        raise errors.no_such_path()
    return Target(kind, namespace, name, parts[2] if len(parts) > 2 else "")
