# Every target installs what it needs first; that takes no time when nothing has changed.
# ARGS is handed on, e.g. `make demo ARGS=--once` or `make test ARGS="-k xmpp -x"`.

.DEFAULT_GOAL := help
.PHONY: help setup demo test torture lint bench lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what the other targets need (root or sudo only for missing packages)
	@scripts/setup.sh

demo: setup ## Start two hospitals, a homeserver and the bridge, and watch a consult
	@.venv/bin/consilium demo $(ARGS)

test: setup ## Run every test, those against the real servers included, on both databases
	@.venv/bin/pytest --numprocesses=2 --dist=loadfile $(ARGS)
	@.venv/bin/pytest --numprocesses=2 --dist=loadfile --database=postgresql $(ARGS)

lint: setup ## Check style, format and types
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy

torture: setup ## Kill, pause and restart everything under load, and count what is lost (10 minutes)
	@.venv/bin/python -m torture $(ARGS)

bench: setup ## Measure speed, latency and memory
	@.venv/bin/python -m bench $(ARGS)

lock: .cache/uv/bin/uv ## Write the lock files anew (ARGS=--upgrade takes newer versions)
	$(compile) pyproject.toml -o requirements.lock
	$(compile) pyproject.toml --extra dev -o requirements-dev.lock
	$(compile) sandbox/synapse.in -o sandbox/synapse.lock
	# Mailman's source has file names that uv won't unpack
	.cache/uv/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
		--no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(ARGS) \
		sandbox/mail_mailman.in -o sandbox/mail_mailman.lock

compile = .cache/uv/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate $(ARGS)

.cache/uv/bin/uv: | setup
	@.venv/bin/python -m venv .cache/uv
	@.cache/uv/bin/pip install --quiet uv pip-tools

clean: ## Remove all that was installed or generated in the checkout
	rm -rf .venv .cache .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
