# Two commands: `make demo` and `make test`. Both first see to .venv (.ci/venv), which takes a minute
# once and again when setup.cfg or pyproject.toml changed. All paths are relative: the project may
# lie in a folder with a blank in its name.

.DEFAULT_GOAL := help
.PHONY: help demo test requirements lint bench clean install check-python

# The Python for .venv instead of the first one that fits: make test PYTHON=python3.12
PYTHON =
# Passed on: make test ARGS='-k register', make demo ARGS=--exit
ARGS =
# Not empty: a test that cannot run here is a failure.
REQUIRE_ALL =

# Processes that share the tests, a file each at a time; WORKERS= for one alone.
WORKERS = -n auto --maxprocesses 4 --dist loadfile

BIN = .venv/bin

help:
	@echo 'make demo          a node with sample patients on this machine; ARGS=--exit stops at the end'
	@echo 'make test          every test this machine can run; lists what it could not run'
	@echo '                   REQUIRE_ALL=1 makes such a gap a failure; ARGS="-k word" goes to pytest'
	@echo 'make requirements  the tests, and build/requirements.md: which requirements they prove'
	@echo 'make lint          style, types, import contract'
	@echo 'make bench         measure against the floors'
	@echo 'make clean         remove .venv and everything generated'
	@echo 'PYTHON=python3.12  use this Python (3.11 to 3.13) for .venv'

demo: install
	@$(BIN)/xdsi demo $(ARGS)

test: install
	@$(BIN)/python -m pytest $(WORKERS) $(if $(REQUIRE_ALL),--require-all) $(ARGS)

requirements: install
	@$(BIN)/python -m pytest $(WORKERS) --requirements build/requirements.md $(ARGS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	@$(BIN)/python -m bench $(ARGS)

install:
	@sh .ci/venv '$(PYTHON)'

check-python:
	@sh .ci/venv --check '$(PYTHON)'

clean:
	rm -rf .venv build dist demo xdsi.egg-info .pytest_cache .mypy_cache .ruff_cache \
	    .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
