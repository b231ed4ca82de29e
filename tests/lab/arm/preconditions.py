# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ETags of Microsoft.Network's DNS resources, in the words of Azure DNS."""

from __future__ import annotations

from lab.arm import errors
from lab.arm.call import Call
from lab.cloud import Body


def check_preconditions(call: Call, found: Body | None, what: str) -> None:
    """
    :raises ArmError: 412 as C(If-Match) and C(If-None-Match) ask for.
    """
    wanted = call.headers.get("If-Match", "").strip('"')
    current = found["etag"] if found else ""
    if wanted and wanted != current and not (wanted == "*" and found):
        raise errors.ArmError(
            412,
            "PreconditionFailed",
            f"The condition '{wanted}' in the If-Match header was not satisfied. The current was '{current}'.",
        )
    if call.headers.get("If-None-Match") == "*" and found:
        raise errors.ArmError(412, "PreconditionFailed", f"{what} exists already and hence cannot be created again.")
