# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON patch (RFC 6902), with the API server's refusals."""

from __future__ import annotations

import copy
from typing import Any

from lab.kubernetes.errors import StatusError, bad_request

_OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")


class _DoesNotApply(Exception):
    """An operation of a JSON patch that the document does not allow; in the words of evanphx/json-patch."""


def json_patch(target: Any, operations: Any) -> Any:
    """JSON patch; neither argument is changed.

    :raises StatusError: 400 for what is no JSON patch, 422 for one that does not apply.
    """
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise bad_request("error decoding patch: json: cannot unmarshal into Go value of type jsonpatch.Patch")
    document = copy.deepcopy(target)
    try:
        for operation in operations:
            document = _operate(document, operation)
    except _DoesNotApply as error:
        raise rejected(str(error)) from None
    return document


def rejected(why: str) -> StatusError:
    """A patch that cannot be applied to the present object."""
    message = "the server rejected our request due to an error in our request"
    details = {"causes": [{"reason": "UnexpectedServerResponse", "message": why}]}
    return StatusError(422, "Invalid", message, details)


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    name, path = operation.get("op"), operation.get("path")
    if name not in _OPERATIONS or not isinstance(path, str):
        raise _DoesNotApply(f"Unexpected kind: {name or 'unknown'}")
    if name in ("move", "copy"):
        source = str(operation.get("from", ""))
        value = copy.deepcopy(_value(document, source, name))
        if name == "move":
            document = _remove(document, source, name)
        return _add(document, path, value, name)
    if name == "test":
        _test(document, path, operation.get("value"))
        return document
    if name == "remove":
        return _remove(document, path, name)
    value = copy.deepcopy(operation.get("value"))
    return _add(document, path, value, name) if name == "add" else _replace(document, path, value)


def _test(document: Any, path: str, expected: Any) -> None:
    try:
        found = _value(document, path, "test")
    except _DoesNotApply:
        # A path that is missing has no value, which is what null says.
        found = None
    if found != expected:
        raise _DoesNotApply(f"testing value {path} failed: test failed")


def _add(document: Any, path: str, value: Any, name: str) -> Any:
    if not path:
        return value
    container, key = _container(document, path, name)
    if isinstance(container, list):
        container.insert(len(container) if key == "-" else _index(container, key, path, len(container)), value)
    else:
        container[key] = value
    return document


def _remove(document: Any, path: str, name: str) -> Any:
    container, key = _container(document, path, name)
    if isinstance(container, list):
        del container[_index(container, key, path, len(container) - 1)]
    elif key in container:
        del container[key]
    else:
        raise _DoesNotApply(
            f"error in remove for path: '{path}': Unable to remove nonexistent key: {key}: missing value"
        )
    return document


def _replace(document: Any, path: str, value: Any) -> Any:
    if not path:
        return value
    container, key = _container(document, path, "replace")
    if isinstance(container, list):
        container[_index(container, key, path, len(container) - 1)] = value
    elif key in container:
        container[key] = value
    else:
        raise _DoesNotApply(f"replace operation does not apply: doc is missing key: {path}: missing value")
    return document


def _value(document: Any, path: str, name: str) -> Any:
    if not path:
        return document
    container, key = _container(document, path, name)
    if isinstance(container, list):
        return container[_index(container, key, path, len(container) - 1)]
    if key not in container:
        raise _DoesNotApply(f"{name} operation does not apply: doc is missing key: {path}: missing value")
    return container[key]


def _container(document: Any, path: str, name: str) -> tuple[Any, str]:
    """The object or list that holds the last step of a path, and that step."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]
    container = document
    for step in steps[:-1]:
        if isinstance(container, dict):
            container = container.get(step)
        elif isinstance(container, list) and step.isdigit() and int(step) < len(container):
            container = container[int(step)]
        else:
            container = None
    if not isinstance(container, (dict, list)) or not steps:
        raise _DoesNotApply(f'{name} operation does not apply: doc is missing path: "{path}": missing value')
    return container, steps[-1]


def _index(container: list[Any], key: str, path: str, last: int) -> int:
    if not key.lstrip("-").isdigit():
        raise _DoesNotApply(f"error in path: '{path}': strconv.Atoi: parsing \"{key}\": invalid syntax")
    index = int(key) if int(key) >= 0 else int(key) + len(container)
    if not 0 <= index <= last:
        raise _DoesNotApply(f"error in path: '{path}': Unable to access invalid index: {key}: invalid index referenced")
    return index
