# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a Kubernetes object already is as a manifest says; pure.

Two questions decide it. Does the object hold every value of the manifest? And does our field manager own nothing that the
manifest no longer names? If both hold, server-side apply would change nothing, and it need not be asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..kube.objects import FIELD_MANAGER, Manifest

# Marks what this collection created, so that a teardown leaves alone what was there before (a recommended Kubernetes label).
CREATED_LABEL = ("app.kubernetes.io/managed-by", "aks.virtual_nodes")

_SERVER_FIELDS = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")


def matches(wish: Manifest, observed: Manifest) -> bool:
    """True when applying the manifest would certainly change nothing."""
    return contains(observed, wish) and not _drops_owned_fields(wish, observed)


def contains(observed: Any, wish: Any) -> bool:
    """Whether every value of the wish is there; the server may have added more (defaults, other owners' fields)."""
    if isinstance(wish, Mapping):
        return isinstance(observed, Mapping) and all(
            contains(observed.get(name), value) if value is not None else observed.get(name) is None
            for name, value in wish.items()
        )
    if isinstance(wish, Sequence) and not isinstance(wish, str):
        return (
            isinstance(observed, Sequence)
            and len(observed) == len(wish)
            and all(contains(theirs, ours) for theirs, ours in zip(observed, wish, strict=True))
        )
    return bool(observed == wish) and isinstance(observed, bool) == isinstance(wish, bool)


def same_apart_from_server_fields(first: Manifest, second: Manifest) -> bool:
    return shown(first) == shown(second)


def shown(manifest: Manifest) -> dict[str, Any]:
    """The object as a diff shows it: without what only the server writes, and without the values of a Secret."""
    metadata = {name: value for name, value in manifest.get("metadata", {}).items() if name not in _SERVER_FIELDS}
    view = {name: value for name, value in manifest.items() if name != "status"}
    view["metadata"] = metadata
    if manifest.get("kind") == "Secret":
        for field in ("data", "stringData"):
            if field in view:
                view[field] = dict.fromkeys(view[field], "(hidden)")
    return view


def with_created_label(manifest: Manifest, observed: Manifest | None) -> Manifest:
    """The manifest with the label of our creations, unless the object was there before us or the user chose another value."""
    name, value = CREATED_LABEL
    if observed is not None and not is_created_here(observed):
        return manifest
    metadata = dict(manifest.get("metadata") or {})
    metadata["labels"] = {name: value, **(metadata.get("labels") or {})}
    return {**manifest, "metadata": metadata}


def is_created_here(observed: Manifest) -> bool:
    name, value = CREATED_LABEL
    return (observed.get("metadata", {}).get("labels") or {}).get(name) == value


def is_being_deleted(observed: Manifest) -> bool:
    """Whether the object only waits for its finalizers, or a namespace for what is in it."""
    return "deletionTimestamp" in observed.get("metadata", {})


def _drops_owned_fields(wish: Manifest, observed: Manifest) -> bool:
    return any(
        _names_more(entry.get("fieldsV1") or {}, wish)
        for entry in observed.get("metadata", {}).get("managedFields") or []
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"
    )


def _names_more(owned: Mapping[str, Any], wish: Any) -> bool:
    """Whether the owned fields (FieldsV1: C(f:) field, C(k:) list item by key, C(v:) set member) go beyond the wish."""
    for path, below in owned.items():
        if path == ".":
            continue
        kind, _separator, text = path.partition(":")
        found, value = _step(kind, text, wish)
        if not found or _names_more(below, value):
            return True
    return False


def _step(kind: str, text: str, wish: Any) -> tuple[bool, Any]:
    if kind == "f":
        return (text in wish, wish.get(text)) if isinstance(wish, Mapping) else (False, None)
    if not isinstance(wish, Sequence) or isinstance(wish, str):
        return False, None
    value = json.loads(text)
    if kind == "v":
        return value in wish, value
    if kind == "i":
        return value < len(wish), wish[value] if value < len(wish) else None
    # Keys that the server defaulted (protocol: TCP) are not in the manifest.
    for item in wish:
        if isinstance(item, Mapping) and all(item.get(name, wanted) == wanted for name, wanted in value.items()):
            return True, item
    return False, None
