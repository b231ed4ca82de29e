# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.arm import options
from ansible_collections.aks.virtual_nodes.plugins.module_utils.arm.cloud import CLOUDS, cloud_from_metadata, find_cloud
from ansible_collections.aks.virtual_nodes.plugins.module_utils.arm.credentials import choose_credential
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import ConfigurationError

PUBLIC = CLOUDS["azurecloud"]
WHO = {
    "AZURE_CLIENT_ID": "11111111-1111-1111-1111-111111111111",
    "AZURE_TENANT": "22222222-2222-2222-2222-222222222222",
}


@pytest.fixture(autouse=True)
def empty_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "azure"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def write_profile(home, text):
    (home / ".azure").mkdir()
    (home / ".azure" / "credentials").write_text(text, encoding="utf-8")


def chosen(params=None, environ=None):
    return choose_credential(options.resolve(params or {}, environ or {}), PUBLIC)


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({**WHO, "AZURE_SECRET": "s"}, "ClientSecretCredential"),
        ({"AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_SECRET": "s"}, "ClientSecretCredential"),
        ({**WHO, "AZURE_OIDC_TOKEN": "jwt"}, "ClientAssertionCredential"),
    ],
    ids=["AWX's names", "azure-identity's names", "a federated token"],
)
def test_the_environment_is_read_under_both_families_of_names(environ, kind):
    choice = chosen(environ=environ)

    assert (choice.source, type(choice.credential).__name__) == ("env", kind)


def test_a_token_file_signs_in_as_workload_identity(tmp_path):
    choice = chosen(environ={**WHO, "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token")})

    assert (choice.source, type(choice.credential).__name__) == ("workload_identity", "WorkloadIdentityCredential")


def test_the_tasks_options_come_before_the_environment():
    choice = chosen({"secret": "task"}, {**WHO, "AZURE_SECRET": "env"})

    assert choice.source == "parameters"


def test_the_profile_comes_after_the_environment(empty_home):
    write_profile(empty_home, "[default]\nclient_id=c\nsecret=s\ntenant=t\nsubscription_id=sub\n")

    assert chosen().source == "credential_file"
    assert chosen(environ={**WHO, "AZURE_SECRET": "s"}).source == "env"


def test_a_missing_profile_is_named_with_those_that_exist(empty_home):
    write_profile(empty_home, "[production]\nclient_id=c\nsecret=s\ntenant=t\n")

    with pytest.raises(ConfigurationError, match=r"profile 'test' .* it has: production"):
        options.resolve({"profile": "test"}, {})


def test_no_credentials_tells_of_every_source_why_it_did_not_serve():
    with pytest.raises(ConfigurationError) as caught:
        chosen()

    for reason in (
        "parameters: ",
        "env: AZURE_SECRET",
        "credential_file: ",
        "workload_identity: AZURE_FEDERATED_TOKEN_FILE",
        "cli: ",
    ):
        assert reason in str(caught.value)


def test_a_secret_without_its_client_is_told_what_is_missing():
    with pytest.raises(ConfigurationError, match="AZURE_CLIENT_ID and AZURE_TENANT is not set"):
        chosen(environ={"AZURE_SECRET": "s"})


def test_an_explicit_source_is_the_only_one_tried():
    with pytest.raises(ConfigurationError) as caught:
        chosen({"auth_source": "credential_file"}, {**WHO, "AZURE_SECRET": "s"})

    assert "env:" not in str(caught.value)


def test_an_unknown_source_in_the_environment_is_refused():
    with pytest.raises(ConfigurationError, match="auth_source 'magic'"):
        options.resolve({}, {"ANSIBLE_AZURE_AUTH_SOURCE": "magic"})


def test_secrets_are_collected_for_censoring_and_kept_out_of_representations():
    resolved = options.resolve({"secret": "from-task"}, {"AZURE_SECRET": "from-env", "AZURE_OIDC_TOKEN": "from-token"})

    assert set(resolved.secrets) == {"from-task", "from-env", "from-token"}
    assert not any(secret in repr(resolved) for secret in resolved.secrets)


@pytest.mark.parametrize("name", ["", "AzureCloud", "azurecloud", "AzureUSGovernment", "AzureChinaCloud"])
def test_clouds_are_found_by_name(name):
    assert find_cloud(name).resource_manager.startswith("https://management.")


@pytest.mark.parametrize("name", ["AzureMoon", "http://management.example"])
def test_an_unknown_cloud_is_refused_with_the_names(name):
    with pytest.raises(ConfigurationError, match="AzureUSGovernment"):
        find_cloud(name)


ENTRY = {
    "name": "MyCloud",
    "resourceManager": "https://arm.example/",
    "authentication": {
        "loginEndpoint": "https://login.example/",
        "audiences": ["https://arm.example/", "https://old.example/"],
    },
}


@pytest.mark.parametrize("metadata", [ENTRY, [ENTRY], [{"resourceManager": "https://other.example"}, ENTRY]])
def test_a_cloud_is_read_from_its_metadata(metadata):
    cloud = cloud_from_metadata("https://arm.example", metadata)

    assert (cloud.authority, cloud.scope, cloud.known) == (
        "https://login.example",
        "https://arm.example/.default",
        False,
    )


@pytest.mark.parametrize(
    "metadata", [[], {}, [{"name": "x"}], [ENTRY, ENTRY | {"resourceManager": "https://other.example"}]]
)
def test_metadata_that_does_not_describe_the_cloud_is_refused(metadata):
    with pytest.raises(ConfigurationError, match="metadata"):
        cloud_from_metadata("https://elsewhere.example", metadata)
