# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource quantities in the form that the API server stores (k8s.io/apimachinery/pkg/api/resource)."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import Any

_PATTERN = re.compile(r"([+-]?[0-9]*\.?[0-9]+|[+-]?[0-9]+\.)(|[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def canonical(given: Any) -> str:
    """C(1000m) is C(1), C(1024Mi) is C(1Gi), C(0.5) is C(500m).

    :raises ValueError: for what is no quantity.
    """
    value, suffix = _parse(given)
    # A fraction of a unit, or less than a binary unit, is written in decimal.
    if suffix in _BINARY and value == value.to_integral() and abs(value) >= 1024:
        return _binary(value)
    if suffix[:1] in ("e", "E") and suffix not in _DECIMAL:
        return _exponent(value)
    return _decimal(value)


def number(given: Any) -> Decimal:
    """
    :raises ValueError: for what is no quantity.
    """
    return _parse(given)[0]


def _parse(given: Any) -> tuple[Decimal, str]:
    match = _PATTERN.fullmatch(str(given))
    if not match:
        raise ValueError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    value, suffix = Decimal(match.group(1)), match.group(2)
    if suffix in _BINARY:
        return value * 1024 ** _BINARY[suffix], suffix
    return value.scaleb(_DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])), suffix


def _exponent(value: Decimal) -> str:
    """With an exponent that is a multiple of three."""
    text = _decimal(value)
    digits, suffix = text.rstrip("numkMGTPE"), text.lstrip("+-0123456789")
    return f"{digits}e{_DECIMAL[suffix]}" if suffix else text


def _binary(value: Decimal) -> str:
    for suffix, power in reversed(_BINARY.items()):
        if value % 1024**power == 0:
            return f"{int(value / 1024**power)}{suffix}"
    return str(int(value))


def _decimal(value: Decimal) -> str:
    if value == 0:
        return "0"
    nano = value.scaleb(9).to_integral(rounding=ROUND_CEILING)
    for suffix, exponent in reversed(_DECIMAL.items()):
        unit = Decimal(1).scaleb(exponent + 9)
        if nano % unit == 0:
            return f"{int(nano / unit)}{suffix}"
    return str(value)
