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
    match = _PATTERN.fullmatch(str(given))
    if not match:
        raise ValueError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    number, suffix = Decimal(match.group(1)), match.group(2)
    if suffix in _BINARY:
        value = number * 1024 ** _BINARY[suffix]
        # A binary suffix with less than one whole unit is written in decimal.
        return _binary(value) if value == value.to_integral() and abs(value) >= 1024 else _decimal(value)
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    return _decimal(number.scaleb(exponent))


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
