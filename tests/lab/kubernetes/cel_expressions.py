# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CEL as the API server has it: compiled and type-checked before it is evaluated, by Google's own implementation.

Declared as in k8s.io/apiserver/pkg/cel/environment and pkg/admission/plugin/cel: what is not known beforehand is C(dyn); the variables of a policy have the
types of their expressions. The API server's libraries beyond strings and optional values (quantities, addresses, authorizer, ...) are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from lab.kubernetes.store import Object

# What expressions see beside variables.
_GIVEN = ("object", "oldObject", "request", "namespaceObject")
STRING, BOOL, PATCHES = "STRING", "BOOL", "LIST<JSONPatch>"


class CelError(Exception):
    """An expression that cannot be compiled, or that failed; the text is the implementation's."""


@dataclass(frozen=True)
class Program:
    expression: str
    type: str
    run: Callable[[Mapping[str, Any]], Any]


class Compiler:
    """Expressions of one policy: variables become known one after the other."""

    def __init__(self) -> None:
        self._types: dict[str, Any] = {}

    def declare(self, name: str, expression: str) -> Program:
        """A variable, which later expressions may name."""
        program, type_ = self._compiled(expression)
        self._types[f"variables.{name}"] = type_
        return program

    def compile(self, expression: str, *wanted: str) -> Program:
        """
        :param wanted: types that the result may have; any unless given.
        :raises CelError: when it cannot be compiled or has another type.
        """
        program, _type = self._compiled(expression)
        if wanted and program.type not in (*wanted, "DYN"):
            raise CelError(f"must evaluate to {' or '.join(wanted).lower()}")
        return program

    def _compiled(self, expression: str) -> tuple[Program, Any]:
        try:
            compiled = _environment(tuple(self._types.items())).compile(expression)
        except RuntimeError as error:
            raise CelError(_plain(error)) from None
        type_ = compiled.return_type()

        def run(data: Mapping[str, Any]) -> Any:
            try:
                result = compiled.eval(data=dict(data))
            except RuntimeError as error:
                raise CelError(_plain(error)) from None
            if str(result.type()) == "ERROR":
                raise CelError(_plain(result.value()))
            return _python(result.plain_value())

        return Program(expression, str(type_), run), type_


def _environment(variables: tuple[tuple[str, Any], ...]) -> Any:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_optional, ext_strings

    given = dict.fromkeys(_GIVEN, cel.Type.DYN)
    extensions = [ext_optional.ExtOptional(), ext_strings.ExtStrings(), _json_patch_functions()]
    return cel.NewEnv(_messages(), variables=given | dict(variables), extensions=extensions)


@cache
def _json_patch_functions() -> Any:
    from cel_expr_python import cel

    def escape(key: str) -> str:
        return key.replace("~", "~0").replace("/", "~1")

    overload = cel.Overload(
        "jsonpatch_escapeKey_string",
        return_type=cel.Type.STRING,
        parameters=[cel.Type.STRING],
        is_member=False,
        impl=escape,
    )
    return cel.CelExtension("jsonpatch", [cel.FunctionDecl("jsonpatch.escapeKey", [overload])])


@cache
def _messages() -> Any:
    """The type C(JSONPatch), which the API server gives to the expressions of mutating policies."""
    from google.protobuf import descriptor_pb2, descriptor_pool, struct_pb2

    field = descriptor_pb2.FieldDescriptorProto
    value = descriptor_pb2.FileDescriptorProto()
    struct_pb2.DESCRIPTOR.CopyToProto(value)
    file = descriptor_pb2.FileDescriptorProto(name="jsonpatch.proto", syntax="proto3", dependency=[value.name])
    message = file.message_type.add(name="JSONPatch")
    for number, name in enumerate(("op", "path", "from"), start=1):
        message.field.add(name=name, number=number, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    message.field.add(
        name="value", number=4, type=field.TYPE_MESSAGE, type_name=".google.protobuf.Value", label=field.LABEL_OPTIONAL
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(value)
    pool.Add(file)
    return pool


def _python(value: Any) -> Any:
    """Messages in the form that JSON has."""
    from google.protobuf import json_format, message

    if isinstance(value, message.Message):
        return json_format.MessageToDict(value)
    if isinstance(value, list):
        return [_python(each) for each in value]
    if isinstance(value, dict):
        return {name: _python(each) for name, each in value.items()}
    return value


def _plain(error: Any) -> str:
    """Without the status code that the implementation puts around it."""
    text = str(error).removeprefix("INVALID_ARGUMENT: ").removesuffix(" [INVALID_ARGUMENT]")
    return text.removesuffix("[INVALID_ARGUMENT]").strip()


def request_data(item: Object, old: Object | None, request: Object, namespace: Object | None) -> dict[str, Any]:
    """
    :param old: what is stored; None for a creation, for which C(oldObject) is null.
    """
    return {"object": item, "oldObject": old, "request": request, "namespaceObject": namespace}
