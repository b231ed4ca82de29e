# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab is not what slows a rollout down: a small fleet at several times the rate that is asked of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from kubernetes import client, config
from kubernetes.client import CoreV1Api

from benchmarks.lab_load import NAMESPACE, cpu_seconds, grow, peak_rss_mib
from harness.laboratory import Lab, running_lab
from lab_tests.waiting import eventually

PODS = 600
# Five times what a rollout of the recipe's size asks for.
RATE = 5_000.0
# What it takes to carry 1,000 pods a minute on a tenth of a processor.
CPU_S_PER_1000 = 6.0
# Of the lab with all its libraries, and 600 pods.
MOST_RSS_MIB = 250


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab"), {"virtual_nodes": 3, "pod_start_seconds": 0.5}) as running:
        yield running


def test_six_hundred_pods_fill_three_nodes_without_the_lab_being_the_bottleneck(lab: Lab) -> None:
    kube = config.new_client_from_config(config_file=lab.environment["KUBECONFIG"])
    before = cpu_seconds(lab)
    grow(kube, PODS, RATE)
    # CPU time and not the clock: other tests may share the machine.
    assert cpu_seconds(lab) - before < CPU_S_PER_1000 * PODS / 1000
    assert peak_rss_mib(lab) < MOST_RSS_MIB
    figures = lab.figures()
    assert (figures["listeners"], figures["nodes"], figures["ready"]) == (0, 4, PODS + 3)
    assert max(_pods_on_nodes(kube).values()) == 200


def test_they_all_go_again(lab: Lab) -> None:
    kube = config.new_client_from_config(config_file=lab.environment["KUBECONFIG"])
    CoreV1Api(kube).delete_namespace(NAMESPACE)
    eventually(lambda: lab.figures()["pods"] == 3, seconds=60)


def _pods_on_nodes(kube: client.ApiClient) -> Counter[str]:
    pods = CoreV1Api(kube).list_namespaced_pod(NAMESPACE).items
    return Counter(pod.spec.node_name for pod in pods)
