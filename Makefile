# Punie: `make` prints help. Make owns artefacts (build/), nox owns environments.
# Works with GNU Make 3.81 and later; needs Python >= 3.11 and git.

MODEL ?= smollm2
DATA ?=
PYTHON ?= python3
SETUP ?= $(PYTHON) scripts/bootstrap.py sync --accelerator $(ACCELERATOR)
ACCELERATOR ?= auto

export HF_HUB_OFFLINE ?= 1
export MLX_DISABLE_COMPILE ?= 1
# The train stage reads RANKS, HOSTS and BACKEND. They come from the environment or the command line, and make
# hands those on; an `export` of them here would hand on empty variables where none was given.

PHASES := $(patsubst data/phases/%.toml,%,$(wildcard data/phases/phase*.toml))
STAGES := generate merge train fuse quantize validate report
TRAIN  ?= .venv/bin/punie-train
NOX    ?= .venv/bin/nox

.DEFAULT_GOAL := help
.PHONY: help setup lock status watch doctor test lint bench docs FORCE
.SUFFIXES:
.DELETE_ON_ERROR:

help:
	@echo "Punie: a coding agent for Python developers, and the kit that teaches small models to drive it."
	@echo
	@echo "  make setup             the environment: .venv with the four packages, their programs, nox, ty, ruff"
	@echo "  make phase23           generate, merge, train, fuse, quantize, validate, report; resumes where it stopped"
	@echo "  make phase23-train     the chain up to one stage ($(STAGES))"
	@echo "  make status            what is fresh, stale or missing, and why"
	@echo "  make watch             follow a run from another terminal"
	@echo "  make clean-phase23     remove what a phase made with MODEL (base models stay)"
	@echo "  make test              every package's wheel tested alone, then the tests that cross packages"
	@echo "  make lint              ruff, ty and the direction of imports"
	@echo "  make doctor            device, BLAS in use, measured GFLOP/s"
	@echo "  make bench | docs      benchmarks as ratios | the documentation site"
	@echo "  make lock              resolve dependencies anew into uv.lock"
	@echo
	@echo "Phases: $(PHASES)"
	@echo
	@echo "Variables:"
	@echo "  MODEL=$(MODEL)          smollm2, tiny-moe, qwen3-coder-30b, or a path to an mlx-lm model folder"
	@echo "  DATA=$(DATA)                  a data variant of the phase file: full, exact"
	@echo "  RANKS=2, HOSTS=hosts.json, BACKEND=ring|mpi|nccl   train over several processes or machines"
	@echo "  ACCELERATOR=$(ACCELERATOR)       auto, cpu, cuda13 or metal"
	@echo "  PYTHON=$(PYTHON)         the Python (>= 3.11) that makes the environment"
	@echo
	@echo "Examples:"
	@echo "  make phase23                       a 135M model, taught on this machine's CPU"
	@echo "  make phase23 MODEL=tiny-moe        the whole chain on a toy mixture of experts, in a minute"
	@echo "  make phase23 DATA=full             three times the rows and the time, and more right"
	@echo "  make phase23 DATA=exact            the 757 examples of the phase to the row, no drills"

setup:
	@$(SETUP)

lock:
	@$(PYTHON) scripts/bootstrap.py update

status watch doctor: setup
	@$(TRAIN) $(if $(filter watch,$@),status --watch,$(if $(filter status,$@),status --all,$@))

test: setup
	@$(NOX) -s tests integration

lint: setup
	@$(NOX) -s lint typecheck

bench docs: setup
	@$(NOX) -s $@

# --- phases -----------------------------------------------------------------------------------------
# `make phase23` writes the stage locks (a lock whose content is the same keeps its time stamp) and then
# calls make again with RUN set, where the chain is plain file targets.

ARGUMENTS = --model "$(MODEL)" $(if $(DATA),--data "$(DATA)")

define PHASE_TARGETS
.PHONY: $(1) clean-$(1) $(1)-data $(foreach s,$(STAGES),$(1)-$(s))
$(1): $(1)-report
$(1)-data: $(1)-merge
$(foreach s,$(STAGES),$(1)-$(s)): setup
	@run=`$(TRAIN) lock $(1) $$(ARGUMENTS)` || exit $$$$?; \
	$(MAKE) --no-print-directory PHASE=$(1) $$$$run made-$$(patsubst $(1)-%,%,$$@)
clean-$(1): setup
	@$(TRAIN) clean $(1) $$(ARGUMENTS)
endef
$(foreach phase,$(PHASES),$(eval $(call PHASE_TARGETS,$(phase))))

ifdef RUN
S := $(RUN)/stages
STAGE = @$(TRAIN) stage $(PHASE)

.PHONY: $(STAGES:%=made-%)
$(foreach s,$(STAGES),$(eval made-$(s): $(S)/$(s).done.json))

# Later stages depend on a stage's digest, which keeps its time stamp when the output is the same.
$(S)/%.digest: $(S)/%.done.json ; @:
$(BASE)/base.digest: $(BASE)/base.done.json ; @:

$(BASE)/base.done.json: $(BASE)/base.lock.json
	$(STAGE) base $(ARGUMENTS)
$(S)/generate.done.json: $(S)/generate.lock.json
	$(STAGE) generate $(ARGUMENTS)
$(S)/merge.done.json: $(S)/merge.lock.json $(S)/generate.digest $(BASE)/base.digest
	$(STAGE) merge $(ARGUMENTS)
$(S)/train.done.json: $(S)/train.lock.json $(S)/merge.digest $(BASE)/base.digest
	$(STAGE) train $(ARGUMENTS)
$(S)/fuse.done.json: $(S)/fuse.lock.json $(S)/train.digest $(BASE)/base.digest
	$(STAGE) fuse $(ARGUMENTS)
$(S)/quantize.done.json: $(S)/quantize.lock.json $(S)/fuse.digest
	$(STAGE) quantize $(ARGUMENTS)
$(S)/validate.done.json: $(S)/validate.lock.json $(S)/merge.digest $(S)/train.digest $(S)/fuse.digest $(S)/quantize.digest
	$(STAGE) validate $(ARGUMENTS)
$(S)/report.done.json: $(S)/report.lock.json $(S)/validate.digest
	$(STAGE) report $(ARGUMENTS)
endif
