# make ask    set up once, then ask the shipped model eight questions about a novel of 139,000 words
# make test   set up once, then run the tests
# make lint, make clean

VENV := .venv
BIN := $(VENV)/bin
# a name may be there and not work (a pyenv shim): take the first that runs and is new enough
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check

.PHONY: ask test lint clean

ask: $(VENV)/.installed
	@$(BIN)/pollux ask examples/the_odd_women.txt \
		-q "What is the combination of the iron safe in Great College Street?" \
		-q "What is the serial number of Miss Barfoot's typewriter?" \
		-q "What is the password of the Penhallow Lending Library?" \
		-q "How much did Augustus Trevanion pay for the grey mare?" \
		-q "Who was the harbour master of Porthmeur?" \
		-q "What colour was the door of the Tolbrook lighthouse?" \
		-q "What is the number of the barge Celandine?" \
		-q "In which year was the Ottery Choral Society founded?"

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-test
	$(BIN)/ruff check

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { printf 'error: no Python 3.11 or newer was found\n\nhint: install python3.11, or name one: make PYTHON=/path/to/python\n' >&2; exit 1; }
	@echo "setting up $(VENV), once; this takes a minute or two" >&2
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); printf '\nhint: on Debian and Ubuntu, install the package python3-venv\n' >&2; exit 1; }

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/bin/python pyproject.toml
	@$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.installed
