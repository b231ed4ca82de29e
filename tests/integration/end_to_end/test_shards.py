# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""More applications than an identity can hold: each ServiceAccount gets the client id, and a token, of its own shard."""

from __future__ import annotations

from typing import Any

from harness.ansible_playbook import AnsiblePlaybook
from harness.laboratory import Lab


def test_each_service_account_gets_a_token_of_its_shard(
    ansible: AnsiblePlaybook, lab: Lab, site_variables: dict[str, Any]
) -> None:
    given = {name: site_variables[name] for name in ("resource_group", "cluster_name")}
    tenants = [
        {"name": f"app-{number}", "namespace": "tenants", "identity": {"name": "id-tenants", "shard": number == 0}}
        for number in range(25)
    ]
    assert ansible.run("playbooks/cluster.yml", given).returncode == 0

    run = ansible.run(
        "playbooks/workload_identity.yml", given | {"applications": tenants, "workload_identity_annotate_tenant": True}
    )

    assert run.returncode == 0, run.output
    made = run.result_of("workload_identities")["identities"]
    checks = run.result_of("workload_identity_check")["checks"]
    assert [len(each["service_accounts"]) for each in made] == [20, 5]
    assert {(check["service_account"], check["client_id"]) for check in checks} == {
        (account["name"], each["client_id"]) for each in made for account in each["service_accounts"]
    }
    assert all(check["valid"] for check in checks), "the annotation and the credential agree"

    again = ansible.run(
        "playbooks/workload_identity.yml", given | {"applications": tenants[::-1]}, arguments=("--check",)
    )
    assert again.returncode == 0, again.output
    assert "workload_identities" not in [task.action.rpartition(".")[2] for task in again.changed]
