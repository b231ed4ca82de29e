# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/examples/service_discovery.yml from an empty cloud: found by name, without kube-proxy, and taken back again.

The tests of this file follow each other on one lab, as an operator's day does.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import dns.message
import dns.query
import dns.rcode
import pytest
from azure.mgmt.privatedns.models import RecordSet
from kubernetes import config
from kubernetes.client import CoreV1Api

from harness.ansible_playbook import AnsiblePlaybook, PlaybookRun
from harness.azure_clients import AzureClients
from harness.laboratory import REPOSITORY, Lab, clean_environment

EXAMPLE = REPOSITORY / "docs" / "examples" / "service_discovery.yml"
ZONE = "apps.internal"
NETWORK_RESOLVER = "168.63.129.16"
CLUSTER_IP = re.compile(r"\b10\.0\.\d+\.\d+\b")  # the network of the lab's Services
PATIENCE_S = 30


@pytest.fixture(scope="module", autouse=True)
def direct_connections() -> Iterator[None]:
    """A proxy cannot reach this machine's loopback."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("NO_PROXY", "no_proxy"):
            patch.setenv(variable, clean_environment()[variable])
        yield


@pytest.fixture(scope="module")
def variables(lab: Lab) -> dict[str, Any]:
    environment = lab.environment
    return {
        "resource_group": environment["LAB_RESOURCE_GROUP"],
        "cluster_name": environment["LAB_CLUSTER"],
        "virtual_network_id": environment["LAB_NETWORK_ID"],
        "shop_image": environment["LAB_PROBE_IMAGE"],
        "service_discovery_wait_timeout": 120,
    }


@pytest.fixture(scope="module")
def azure(lab: Lab) -> AzureClients:
    return AzureClients(lab)


@pytest.fixture(scope="module")
def core(lab: Lab) -> CoreV1Api:
    return CoreV1Api(config.new_client_from_config(config_file=lab.environment["KUBECONFIG"]))


@pytest.fixture(scope="module")
def day() -> dict[str, Any]:
    """What a test leaves for those after it."""
    return {}


def play(ansible: AnsiblePlaybook, playbook: str, variables: dict[str, Any], *arguments: str) -> PlaybookRun:
    return ansible.run(f"playbooks/{playbook}", variables, vars_files=[EXAMPLE], arguments=arguments)


def changed(run: PlaybookRun) -> list[str]:
    return [task.title for task in run.changed]


def ask(lab: Lab, name: str) -> dns.message.Message:
    host, _colon, port = lab.environment["LAB_DNS"].partition(":")
    return dns.query.udp(dns.message.make_query(name, "A"), host, port=int(port), timeout=10)


def addresses(answer: dns.message.Message) -> list[str]:
    return [each.to_text() for rrset in answer.answer for each in rrset]


def probed(core: CoreV1Api) -> list[dict[str, Any]]:
    """What the probe that runs as the shop says of its network, once it has resolved its names."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        (pod,) = core.list_namespaced_pod("shop", label_selector="app.kubernetes.io/name=shop").items
        assert pod.spec.node_name.startswith("virtualnode-")
        lines = core.read_namespaced_pod_log(pod.metadata.name, "shop").splitlines()
        said = [json.loads(line) for line in lines]
        if any("addresses" in each for each in said):
            return said
        assert time.monotonic() < deadline, lines
        time.sleep(0.5)


def test_check_mode_on_an_empty_cloud_predicts_and_writes_nothing(
    ansible: AnsiblePlaybook, quiet_lab: Lab, variables: dict[str, Any], day: dict[str, Any]
) -> None:
    run = play(ansible, "site.yml", variables, "--check", "--diff")
    assert run.returncode == 0, run.output
    assert quiet_lab.writes() == []
    assert run.result_of("service_discovery_check")["hosts"][0]["address"] == "(known after apply)"
    day["predicted"] = run


def test_the_real_run_makes_what_was_predicted_and_waits_for_it(
    ansible: AnsiblePlaybook, quiet_lab: Lab, variables: dict[str, Any], day: dict[str, Any]
) -> None:
    run = play(ansible, "site.yml", variables, "--diff")
    assert run.returncode == 0, run.output
    assert changed(run) == changed(day["predicted"])
    (host,) = run.result_of("service_discovery_check")["hosts"]
    assert (host["hostname"], host["ttl"]) == (f"orders.{ZONE}", 30)
    day["address"] = host["address"]


def test_a_query_to_the_networks_resolver_gives_the_load_balancers_address(
    lab: Lab, core: CoreV1Api, day: dict[str, Any]
) -> None:
    service = core.read_namespaced_service("orders", "shop")
    assert day["address"] == service.status.load_balancer.ingress[0].ip
    assert addresses(ask(lab, f"orders.{ZONE}")) == [day["address"]]
    assert day["address"] != service.spec.cluster_ip


def test_a_pod_on_a_virtual_node_asks_the_networks_resolver_and_is_told(core: CoreV1Api, day: dict[str, Any]) -> None:
    said = probed(core)
    assert said[0]["resolv_conf"].splitlines() == [f"nameserver {NETWORK_RESOLVER}"]
    answer = next(each for each in said if "addresses" in each)
    assert answer == {"name": f"orders.{ZONE}", "server": NETWORK_RESOLVER, "addresses": [day["address"]]}


def test_nothing_in_its_environment_that_the_application_uses_is_a_cluster_ip(core: CoreV1Api) -> None:
    environment = probed(core)[1]["environment"]
    assert environment["ORDERS_URL"] == f"http://orders.{ZONE}"
    assert environment["AZURE_FEDERATED_TOKEN_FILE"]
    # The kubelet's own, for those who want the API server; the role workload says what they have to do.
    held = {name for name, value in environment.items() if CLUSTER_IP.search(value)}
    assert all(name.startswith("KUBERNETES_") for name in held)


def test_external_dns_runs_on_an_ordinary_node_with_rights_on_the_zone_alone(
    core: CoreV1Api, azure: AzureClients
) -> None:
    (pod,) = core.list_namespaced_pod("external-dns").items
    assert not pod.spec.node_name.startswith("virtualnode-")
    principal = azure.get(azure.identity_id("id-external-dns"), "2024-11-30")["properties"]["principalId"]
    assigned = azure.authorization.role_assignments.list_for_subscription(filter=f"principalId eq '{principal}'")
    scopes = sorted(str(each.scope).lower() for each in assigned)
    zone_id = f"{azure.group_id}/providers/Microsoft.Network/privateDnsZones/{ZONE}"
    assert scopes == [azure.group_id.lower(), zone_id.lower()]


def test_the_second_run_changes_and_writes_nothing(
    ansible: AnsiblePlaybook, quiet_lab: Lab, variables: dict[str, Any]
) -> None:
    run = play(ansible, "site.yml", variables, "--diff")
    assert run.returncode == 0, run.output
    assert " changed=0 " in run.recap
    assert quiet_lab.writes() == []


def with_service(name: str, **service: Any) -> dict[str, Any]:
    """Variables that publish one more name."""
    application = {"name": name, "namespace": "shop", "service": {"ports": [{"port": 80}], **service}}
    return {"applications": [application], "service_discovery_wait_timeout": 15}


def test_a_record_of_another_owner_is_told(
    ansible: AnsiblePlaybook, azure: AzureClients, variables: dict[str, Any]
) -> None:
    mark = '"heritage=external-dns,external-dns/owner=aks-other,external-dns/resource=service/their/held"'
    for kind, name, values in (
        ("A", "held", {"aRecords": [{"ipv4Address": "10.9.9.9"}]}),
        ("TXT", "a-held", {"txtRecords": [{"value": [mark]}]}),
    ):
        record = RecordSet({"properties": {"ttl": 300, **values}})
        azure.private_dns.record_sets.create_or_update(azure.group, ZONE, kind, name, record)
    run = play(ansible, "service_discovery.yml", variables | with_service("held"))
    assert run.returncode != 0
    assert "belongs to the owner 'aks-other' (service/their/held)" in run.failures[0].result["msg"]


def test_a_subnet_that_does_not_exist_is_told(ansible: AnsiblePlaybook, variables: dict[str, Any]) -> None:
    run = play(ansible, "service_discovery.yml", variables | with_service("lost", subnet="missing"))
    assert run.returncode != 0
    message = run.failures[0].result["msg"]
    assert "Service shop/lost: SyncLoadBalancerFailed" in message
    assert "failed to get subnet: vnet-lab/missing" in message


def test_a_role_that_was_taken_away_is_told_in_the_words_of_external_dns(
    ansible: AnsiblePlaybook, azure: AzureClients, variables: dict[str, Any], quiet_lab: Lab
) -> None:
    refusal = {"error": {"code": "AuthorizationFailed", "message": "The client may not write records."}}
    quiet_lab.inject(
        {"service": "arm", "method": "PUT", "path": "/(A/|TXT/a-)denied", "status": 403, "body": refusal, "times": None}
    )
    run = play(ansible, "service_discovery.yml", variables | with_service("denied"))
    quiet_lab.forget_faults()
    assert run.returncode != 0
    message = run.failures[0].result["msg"]
    assert f"zone '{ZONE}' has no record with this address" in message
    # It goes on to the other record of the name after the first refusal; either may be the last line at that moment.
    assert re.search(r"is running\. It last said: Failed to update (A|TXT) record named '(a-)?denied'", message), (
        message
    )
    assert "AuthorizationFailed" in message


def test_services_without_a_zone_are_refused_before_anything_is_written(
    ansible: AnsiblePlaybook, quiet_lab: Lab, variables: dict[str, Any]
) -> None:
    given = {"resource_group": variables["resource_group"], "cluster_name": variables["cluster_name"]}
    run = ansible.run("playbooks/site.yml", given | with_service("orders"))
    assert run.returncode != 0
    assert "Set dns_zone" in run.failures[0].result["msg"]
    assert quiet_lab.writes() == []


def test_a_zone_with_records_of_others_is_refused_before_anything_is_torn_down(
    ansible: AnsiblePlaybook, azure: AzureClients, variables: dict[str, Any], quiet_lab: Lab
) -> None:
    run = play(ansible, "teardown.yml", variables)
    assert run.returncode != 0
    assert "still has record sets" in run.failures[0].result["msg"]
    assert "A held" in run.failures[0].result["msg"]
    assert "orders" not in run.failures[0].result["msg"]
    # external-dns goes on writing records.
    assert [each for each in quiet_lab.writes() if "/privatednszones/" not in each["path"].lower()] == []
    for kind, name in (("A", "held"), ("TXT", "a-held")):
        azure.private_dns.record_sets.delete(azure.group, ZONE, kind, name)


def test_a_zone_that_is_kept_is_left_without_the_records(
    ansible: AnsiblePlaybook, azure: AzureClients, variables: dict[str, Any]
) -> None:
    services = [with_service(name)["applications"][0] for name in ("orders", "held", "lost", "denied")]
    kept = {"applications": services, "service_discovery_delete_zone": False}
    run = play(ansible, "teardown.yml", variables | kept)
    assert run.returncode == 0, run.output
    assert [each.name for each in azure.private_dns.record_sets.list(azure.group, ZONE)] == ["@"]


def test_teardown_removes_all_that_was_made(
    ansible: AnsiblePlaybook, lab: Lab, azure: AzureClients, core: CoreV1Api, variables: dict[str, Any]
) -> None:
    made = play(ansible, "site.yml", variables)
    assert made.returncode == 0, made.output
    run = play(ansible, "teardown.yml", variables | {"delete_identities": True})
    assert run.returncode == 0, run.output
    assert [each.name for each in azure.private_dns.private_zones.list_by_resource_group(azure.group)] == []
    assert [each.name for each in azure.identities.user_assigned_identities.list_by_resource_group(azure.group)] == []
    assert not {"shop", "external-dns"} & {each.metadata.name for each in core.list_namespace().items}
    assert ask(lab, f"orders.{ZONE}").rcode() == dns.rcode.REFUSED


def test_a_second_teardown_finds_nothing(ansible: AnsiblePlaybook, quiet_lab: Lab, variables: dict[str, Any]) -> None:
    run = play(ansible, "teardown.yml", variables | {"delete_identities": True})
    assert run.returncode == 0, run.output
    assert run.changed == ()
    assert quiet_lab.writes() == []
