# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From JSON to the Go type of a kind: wrong types are refused, unknown fields are told and dropped.

The types are those of the Kubernetes Python client's models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from kubernetes.client import models

from lab.kubernetes import errors, openapi
from lab.kubernetes.quantities import canonical
from lab.kubernetes.registry import Kind
from lab.kubernetes.store import Object

_LIST = re.compile(r"[Ll]ist\[(.*)\]")
_DICT = re.compile(r"[Dd]ict[(\[]str, (.*)[)\]]")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_VERSION = re.compile(r"^(Core|Discovery|Events|Storage|Rbac|Authentication)?V\d+((alpha|beta)\d+)?")
# Maps and fields of quantities, which may be numbers.
_QUANTITIES = frozenset(
    [
        "allocatable",
        "allocatedResources",
        "capacity",
        "default",
        "defaultRequest",
        "divisor",
        "hard",
        "limits",
        "max",
        "maxLimitRequestRatio",
        "min",
        "overhead",
        "requests",
        "sizeLimit",
        "used",
    ]
)
_GO_TYPES = {"str": "string", "datetime": "string", "int": "int32", "float": "float64", "bool": "bool"}
_JSON_TYPES: dict[type, str] = {str: "string", list: "array", dict: "object"}


class _Mistyped(Exception):
    def __init__(self, value: Any, struct: str, path: tuple[str, ...], go_type: str) -> None:
        place = f"Go struct field {struct}.{'.'.join(path)}" if path else "Go value"
        super().__init__(f"json: cannot unmarshal {_json_type(value)} into {place} of type {go_type}")


def refusal(kind: Kind, why: str) -> errors.StatusError:
    """A body that cannot be read as the kind."""
    return errors.bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')


def check_types(kind: Kind, item: Object) -> None:
    """
    :raises StatusError: 400 for the first value that has not the type of its field.
    """
    name = openapi.model_name(kind)
    try:
        _check(name, item, (), name)
        for value in (item.get("data") or {}).values() if kind.kind == "Secret" else ():
            _check_base64(value)
    except (_Mistyped, ValueError) as error:
        raise refusal(kind, str(error)) from None


def unknown_fields(kind: Kind, item: Object) -> list[str]:
    """As sentences of the strict decoder; the fields are dropped, in place."""
    paths = openapi.unknown_fields(kind, item)
    for path in paths:
        _drop(item, path)
    return [f'unknown field "{path}"' for path in paths]


def _check(type_: str, value: Any, path: tuple[str, ...], struct: str) -> None:
    if value is None:
        return
    if path and path[-1] in _QUANTITIES:
        _check_quantities(value)
        return
    if inner := _LIST.fullmatch(type_) or _DICT.fullmatch(type_):
        container: type[Any] = list if _LIST.fullmatch(type_) else dict
        if not isinstance(value, container):
            raise _Mistyped(value, _go_name(struct), path, _go_type(type_))
        for each in value if container is list else value.values():
            _check(inner[1], each, path, struct)
    elif fields := _fields(type_):
        if not isinstance(value, dict):
            raise _Mistyped(value, _go_name(struct), path, f"v1.{_go_name(type_)}")
        for field, each in value.items():
            if field in fields:
                _check(fields[field], each, (*path, field), type_)
    elif not _fits(type_, value):
        raise _Mistyped(value, _go_name(struct), path, _go_type(type_))


def _check_base64(value: Any) -> None:
    wrong = _NOT_BASE64.search(value or "")
    if wrong or len(value or "") % 4:
        raise ValueError(f"illegal base64 data at input byte {wrong.start() if wrong else len(value) // 4 * 4}")


def _check_quantities(value: Any) -> None:
    """
    :raises ValueError: as the quantity's own decoder says it.
    """
    if isinstance(value, dict):
        for each in value.values():
            _check_quantities(each)
    elif isinstance(value, (str, int, float)):
        canonical(value)


def _fits(type_: str, value: Any) -> bool:
    match type_:
        case "str" | "datetime":
            return isinstance(value, str)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
    return True


@cache
def _fields(type_: str) -> dict[str, str]:
    model = getattr(models, type_, None)
    if model is None:
        return {}
    return {field: model.openapi_types[attribute] for attribute, field in model.attribute_map.items()}


def _go_name(model: str) -> str:
    return _VERSION.sub("", model)


def _go_type(type_: str) -> str:
    if inner := _LIST.fullmatch(type_):
        return f"[]{_go_type(inner[1])}"
    if inner := _DICT.fullmatch(type_):
        return f"map[string]{_go_type(inner[1])}"
    return _GO_TYPES.get(type_, f"v1.{_go_name(type_)}")


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return _JSON_TYPES.get(type(value), "null")


def _drop(item: Object, path: str) -> None:
    steps = list(_steps(path))
    holder: Any = item
    for step in steps[:-1]:
        try:
            holder = holder[step]
        except (KeyError, IndexError, TypeError):
            # A name with dots in it.
            return
    if isinstance(holder, dict):
        holder.pop(steps[-1], None)


def _steps(path: str) -> Iterator[str | int]:
    for name, index in _STEP.findall(path):
        yield int(index) if index else name
