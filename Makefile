# The menu: `make help`. Every target works by itself on a fresh clone; all that is needed is Python 3.11+, git and make.
# What is built stays in .venv and build; `make clean` removes both.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

# The interpreter for the virtual environments; unless given, the first on PATH that is recent enough.
PYTHON ?=
# Integration targets to run, by name; all of them unless given.
TARGET ?=
# A kubeconfig of a real API server (kind, envtest, AKS): the integration targets run their Kubernetes half on it too.
REAL_KUBECONFIG ?=
# Parts of `make test` that run at a time; unless given, one for each processor, four at most.
JOBS ?=

export PYTHON

# The tests start hundreds of Python processes; without bytecode, each would compile the SDKs anew.
unexport PYTHONDONTWRITEBYTECODE

bin := .venv/bin
# Our own programs below tests/, as modules: lab, demo, tooling.
run := PYTHONPATH=tests $(bin)/python -m
# Ansible's own tools, with this working tree for the collection and nothing of the caller's.
ansible := PATH="$(CURDIR)/$(bin):$$PATH" ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/build/collections" \
	ANSIBLE_HOME="$(CURDIR)/build/ansible" ANSIBLE_CONFIG="$(CURDIR)/tests/tooling/ansible.cfg"

# What `make test` runs, the longest first.
parts := test-sanity test-end-to-end test-integration lint-ansible test-clients test-lab test-molecule test-units build \
	docs lint-python lint-yaml

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make test-integration TARGET=cluster_features     one integration target"
	@echo "  make test-integration REAL_KUBECONFIG=~/.kube/x   the Kubernetes half on a real API server as well"
	@echo "  make test JOBS=1                                  one part at a time"
	@echo "  make venv PYTHON=/path/to/python3                 with this interpreter"

.PHONY: venv
venv: ## Install the tools and libraries into .venv
	@sh tests/tooling/venv.sh .venv requirements-dev.txt

.PHONY: venv-az
venv-az:
	@sh tests/tooling/venv.sh build/venv-az tests/clients/requirements.txt

.PHONY: collection
collection: venv
	@$(run) tooling.collection_tree link build/collections >/dev/null

.PHONY: demo
demo: venv ## Show the whole recipe on the lab, step by step
	@$(bin)/python tests/demo

.PHONY: demo-scale
demo-scale: venv ## Show 2,400 pods arriving at 1,000 a minute; writes build/rollout.svg and build/rollout.json (6 minutes)
	@$(run) demo.scale

.PHONY: lab
lab: venv ## Start the lab in build/lab and say how to use it; `make lab-stop` ends it
	@$(run) lab start --directory build/lab
	@echo "Use it with:  . build/lab/env.sh"

.PHONY: lab-stop
lab-stop: venv
	@$(run) lab stop --directory build/lab

.PHONY: test
test: venv ## Run every check and test there is
	@MAKE="$(MAKE)" $(run) tooling.parts $(if $(JOBS),--jobs $(JOBS)) $(parts)

.PHONY: test-sanity
test-sanity: venv ## ansible-test sanity, without exceptions
	@$(run) tooling.ansible_test sanity

.PHONY: test-units
test-units: venv ## ansible-test units
	@$(run) tooling.ansible_test units

.PHONY: test-integration
test-integration: collection ## Integration targets, each on a lab of its own
	@$(run) tooling.integration_targets $(TARGET)
ifneq ($(REAL_KUBECONFIG),)
	@echo "On the API server of $(REAL_KUBECONFIG):"
	@$(run) tooling.integration_targets --kubeconfig "$(REAL_KUBECONFIG)" $(TARGET)
endif

.PHONY: test-end-to-end
test-end-to-end: collection ## The playbooks on the lab: predictions, drift, bad input, secrets
	@PYTHONPATH=tests $(bin)/python -m pytest tests/integration/end_to_end

.PHONY: test-clients
test-clients: venv venv-az ## The recipe by the real az and kubectl, and the playbooks after and before it
	@PYTHONPATH=tests AZ=build/venv-az/bin/az $(bin)/python -m pytest tests/clients

.PHONY: test-lab
test-lab: venv ## The lab itself, by official clients
	@PYTHONPATH=tests $(bin)/python -m pytest tests/lab_tests

.PHONY: test-molecule
test-molecule: collection ## The molecule scenario, with its idempotence step
	@$(run) tooling.molecule test

.PHONY: bench
bench: collection venv-az ## Measure the bulk path beside what people do today; writes build/bench.json (12 minutes)
	@AZ=build/venv-az/bin/az $(run) benchmarks

.PHONY: bench-publish
bench-publish: venv ## Put the figures of the last `make bench` into docs/performance.md
	@$(run) benchmarks.publish

.PHONY: bench-rollout
bench-rollout: venv ## Measure rollouts of 240, 2,400 and 12,000 pods; writes build/bench-rollout.json (20 minutes)
	@$(run) benchmarks.rollout

.PHONY: lint
lint: lint-python lint-yaml lint-ansible ## ruff, mypy, yamllint, and ansible-lint with its production profile

.PHONY: lint-python
lint-python: collection
	@$(bin)/ruff check --cache-dir build/ruff .
	@$(bin)/ruff format --check --quiet --cache-dir build/ruff plugins tests docs
	@$(bin)/mypy $(addprefix -p ansible_collections.aks.virtual_nodes.plugins.,module_utils plugin_utils action filter) \
		-p lab -p harness -p tooling -p demo -p benchmarks -p clients

.PHONY: lint-yaml
lint-yaml: venv
	@$(bin)/yamllint --strict .

.PHONY: lint-ansible
lint-ansible: collection
	@$(ansible) $(bin)/ansible-lint --nocolor

# Without the scan, which would add minutes: the ansible package holds a hundred collections that are of no concern here.
.PHONY: docs
docs: collection ## Check the documentation of modules and roles, and the changelog
	@$(ansible) ANSIBLE_COLLECTIONS_SCAN_SYS_PATH=false $(bin)/antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs all .
	@$(bin)/antsibull-changelog lint
	@$(run) benchmarks.publish --check

.PHONY: build
build: venv ## Build the artifact into build/artifact and check it as Galaxy would
	@$(run) tooling.artifact

.PHONY: lock
lock: venv ## Resolve the requirements of development anew; UPGRADE=1 takes the newest
	sh tests/tooling/lock.sh requirements-dev.in requirements-dev.txt
	sh tests/tooling/lock.sh tests/clients/requirements.in tests/clients/requirements.txt

.PHONY: clean
clean: ## Stop the lab and remove all that make built
	@if [ -e build/lab/lab.json ] && [ -x $(bin)/python ]; then $(run) lab stop --directory build/lab || true; fi
	rm -rf .venv build
