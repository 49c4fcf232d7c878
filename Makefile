# Set-up and the two main commands. Everything is written inside the checkout: .venv and .cache.
PYTHON  ?= python3
EXTRAS  ?=
WORKERS ?= 2

VENV   := .venv
PY     := $(VENV)/bin/python
UV     := $(VENV)/bin/uv
# pip's index, certificates and proxy are uv's too.
UV_RUN := $(PY) -m launch.uv_like_pip $(UV)
RUN    := runs/quickstart
SPARSE := runs/sparsity_digits
CACHE  := $(CURDIR)/.cache

comma := ,
empty :=
space := $(empty) $(empty)
# A stamp names the extras that are installed: .venv/.installed-dev+tpu
stamp  = $(VENV)/.installed-$(subst $(comma),+,$(or $(1),base))
commas = $(subst $(space),$(comma),$(strip $(1)))

export UV_CACHE_DIR := $(CACHE)/uv
export UV_PYTHON_DOWNLOADS := never
export PIP_CACHE_DIR := $(CACHE)/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export XDG_CACHE_HOME := $(CACHE)
export MPLCONFIGDIR := $(CACHE)/matplotlib
export KERAS_HOME := $(CACHE)/keras
export IPYTHONDIR := $(CACHE)/ipython
export JUPYTER_CONFIG_DIR := $(CACHE)/jupyter/config
export JUPYTER_DATA_DIR := $(CACHE)/jupyter/data
export JUPYTER_RUNTIME_DIR := $(CACHE)/jupyter/runtime

BASE := $(call stamp,$(call commas,$(EXTRAS)))
DEV  := $(call stamp,$(call commas,dev $(EXTRAS)))
DOCS := $(call stamp,$(call commas,docs $(EXTRAS)))
SLOW := $(call stamp,$(call commas,dev docs $(EXTRAS)))
FULL := $(call stamp,$(call commas,dev docs tfds-prepare $(EXTRAS)))
CHIP := $(call stamp,$(call commas,dev docs tpu cuda $(EXTRAS)))

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup quickstart sparsity examples test test-full docs lock clean

help:
	@echo 'make quickstart   set up, train a small sweep on real digits, write its report (minutes)'
	@echo 'make sparsity     the same for rewards that are rare, delayed or all-or-nothing (minutes)'
	@echo 'make examples     all small experiments on the digits, on one page (minutes)'
	@echo 'make test         set up, check the style and the types, run the fast tests'
	@echo 'make test-full    set up what is slow or heavy (8 GB: TensorFlow, compilers of TPUs and GPUs) and'
	@echo '                 run the slow tests'
	@echo 'make docs         build the tutorials and the reference into site/; warnings are errors'
	@echo 'make setup        set up only'
	@echo 'make lock         renew requirements.lock from pyproject.toml'
	@echo 'make clean        delete .venv and every cache; runs/ stays'
	@echo
	@echo 'Variables: PYTHON=python3.12 (3.11 or newer), WORKERS=2 (tests),'
	@echo '           EXTRAS=cuda (or tpu, import, notebook, adapters)'

quickstart: $(BASE)
	@echo '== Training the quickstart sweep in $(RUN); the same command continues it'
	@$(PY) -m launch.sweep --config=launch/configs/quickstart.py --workdir=$(RUN)
	@echo '== Fitting the horizon law and drawing the figures'
	@$(PY) -m analysis.report $(RUN)
	@echo '== Done. The report: $(CURDIR)/$(RUN)/report/report.html'

sparsity: $(BASE)
	@echo '== Training the sweep over horizons and reward schedules in $(SPARSE)'
	@$(PY) -m launch.sweep --config=launch/configs/sparsity.py:digits --workdir=$(SPARSE)
	@echo '== Fitting the joint law and drawing the figures'
	@$(PY) -m analysis.report $(SPARSE)
	@echo '== Done. The report: $(CURDIR)/$(SPARSE)/report/report.html'

examples: $(BASE)
	@$(PY) -m launch.examples --out=runs/examples
	@echo '== Done. The page: $(CURDIR)/runs/examples/index.html'

setup: $(BASE)

test: $(DEV)
	@echo '== Style: ruff'
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@echo '== Types: mypy'
	@$(VENV)/bin/mypy
	@echo '== Fast tests: pytest, $(WORKERS) workers'
	@$(PY) -m pytest -n $(WORKERS) -m 'not slow'

test-full: $(SLOW)
	@$(MAKE) --no-print-directory $(FULL) \
	  || echo '== TensorFlow could not be installed: the tests that need it will be skipped'
	@$(MAKE) --no-print-directory $(CHIP) \
	  || echo '== The compilers of TPUs and GPUs could not be installed: their tests will be skipped'
	@# Files stay whole: several share one sweep, or one cluster, among their tests. They begin
	@# in the order of their names: the few that wait for a queue would else be the last, alone.
	@echo '== Slow tests: pytest, $(WORKERS) workers'
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=15 -m slow

docs: $(DOCS)
	@$(PY) -m mkdocs build --strict --quiet
	@echo '== Done. The site: $(CURDIR)/site/index.html'

# The lock covers every extra: they resolve together, and a constraint installs nothing by itself.
lock: $(UV)
	@echo '== Renewing requirements.lock: all extras, Python 3.11 and newer, hashes, no addresses'
	@# Without pip's further places: they may have other files of a version, or fewer.
	@UV_INDEX= UV_FIND_LINKS= UV_CUSTOM_COMPILE_COMMAND='make lock' \
	  $(UV_RUN) pip compile --quiet pyproject.toml --all-extras --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --output-file requirements.lock

clean:
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo 'Python 3.11 or newer is needed, and $(PYTHON) is not: name one, as in' \
	    '"make $(firstword $(MAKECMDGOALS)) PYTHON=python3.12".' >&2; exit 1; }
	@echo '== Making $(VENV) with $(PYTHON), and uv in it'
	@# Debian's Python has no ensurepip; its pip can fill an environment that has none.
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || $(PYTHON) -m venv --clear --without-pip $(VENV) >/dev/null 2>&1 \
	  || { echo '$(PYTHON) cannot make a virtual environment: install its venv module (on Debian' \
	    'and Ubuntu: apt-get install python3-venv) or name another PYTHON=.' >&2; exit 1; }
	@# What the settings of an environment of its own, as of conda, say is for the new one too.
	@conf="$$($(PYTHON) -c 'import sys; print(sys.prefix)')/pip.conf"; \
	  if [ -f "$$conf" ]; then cp "$$conf" $(VENV)/pip.conf; fi
	@if $(PY) -m pip --version >/dev/null 2>&1; then pip='$(PY) -m pip'; \
	  else pip='$(PYTHON) -m pip --python $(PY)'; fi; \
	  $$pip install --quiet pip 'uv>=0.11,<1' \
	  || { echo 'uv could not be installed by pip: see above (is a package index reachable?).' >&2; \
	    exit 1; }

# The lock is a list of constraints, so that nothing is installed that was not asked for; uv checks
# the hashes of all that it takes from there.
$(VENV)/.installed-%: pyproject.toml requirements.lock | $(UV)
	@echo '== Installing mnist_horizon (extras: $(subst +,$(comma) ,$*)), versions from requirements.lock'
	@$(UV_RUN) pip install --quiet --python $(PY) --constraints requirements.lock \
	  --editable '.$(if $(filter-out base,$*),[$(subst +,$(comma),$*)])' \
	  || { echo 'uv could not install the packages: see above. It has the index, certificate and proxy' \
	    'of pip (pip config list): set PIP_INDEX_URL, PIP_CERT or PIP_PROXY.' >&2; exit 1; }
	@touch $@
