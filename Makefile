# Every target brings what it needs into .venv; nothing is written outside this folder except Debian
# packages, and those only for root. PYTHON names another Python for .venv than Debian's.

PYTHON ?=
BIN := .venv/bin
# Further words for `bonpunkt up --demo`, such as ARGS="--baskets 1000 --once".
ARGS ?=

.PHONY: run dev compiled test test-long check bench growth load protos clean-data audit licences release

# Everything on this machine, with recorded baskets at simulated tills, until Ctrl-C.
run: .venv/.run-stamp compiled
	@$(BIN)/bonpunkt up --demo $(ARGS)

dev: .venv/.dev-stamp

# The checkout path as machine code, anew whenever one of its sources changed.
compiled: .venv/.run-stamp
	@$(BIN)/python .ci/compile

# What was compiled is tested plain as well: the pure part here, all of loyalty in test-long.
test: dev compiled
	@$(BIN)/python -m tests.run
	@BONPUNKT_COMPILED=0 $(BIN)/python -m tests.run -q tests/loyalty/domain tests/properties \
	  tests/loyalty/test_chain.py tests/loyalty/test_keys.py tests/loyalty/test_wire_requests.py

test-long: dev compiled
	@$(BIN)/python -m tests.run --long
	@BONPUNKT_COMPILED=0 $(BIN)/python -m tests.run -q tests/loyalty tests/properties

# Form, types, and the contract: style, what the last release understands, freshness of the stubs.
check: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/buf lint protos
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/buf breaking protos --against protos/released.binpb
	$(BIN)/python -m pytest -q tests/architecture

bench: dev compiled
	@$(BIN)/python -m loadtests.bench

# Whether checkouts grow slower with 2, 10 and 20 million journal rows: an hour, and 45 GB of disk.
growth: dev compiled
	@$(BIN)/python -m loadtests.growth $(ARGS)

# Shoppers at a constant rate, judged by budgets: on SQLite, with DB=postgres on a private cluster, with
# TARGET=host:port at an installation that is there (docs/performance.md).
load: dev compiled
	@$(BIN)/python -m loadtests.load $(if $(DB),--db $(DB)) $(if $(TARGET),--target $(TARGET)) $(ARGS)

# Writes the Python stubs beside the contract anew.
protos: dev
	protos/generate

# Whether anything is known against a locked package (exit code 3: its source cannot be reached).
audit: dev
	@$(BIN)/python -m deploy.release.audit

licences: dev
	@$(BIN)/python -m deploy.release.licences

# Wheel, contract, bill of materials, notes and checksums, in dist/.
release: check
	@$(BIN)/python -m deploy.release.build

# The demo begins anew, with the first recorded basket.
clean-data:
	@.ci/clean-data

.venv/.run-stamp: pyproject.toml requirements/run.txt requirements/build.txt .ci/venv
	@PYTHON="$(PYTHON)" .ci/venv run

.venv/.dev-stamp: pyproject.toml requirements/dev.txt .ci/venv
	@PYTHON="$(PYTHON)" .ci/venv dev
