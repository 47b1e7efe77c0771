# Everything starts from git, make and a Python 3.10 to 3.12 with venv:
#   make demo            set up, then draw paper dolls, train CARAFE-FPN, evaluate it and draw panels in work_dirs/demo
#   make test            set up and run the test suite
#   make setup           only set up the environment in .venv
#   make test-slow       the tests that take minutes            make lint   ruff
#   make test-upstream   the suite on mmcv-lite 2.1.0, mmdet 3.3.0, mmengine 0.10.7 (in .venv-upstream)
#   make lock            resolve the locks anew (needs uv)
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UPSTREAM := .venv-upstream

DOLLS := data/paper-doll
DEMO := work_dirs/demo
DEMO_CONFIG := configs/segmentation/mask-rcnn_r18_carafe-fpn_paper-doll.py
DEMO_CHECKPOINT := $(DEMO)/epoch_8.pth
DEMO_RESULT := $(DEMO)/epoch_8.paper-doll-val.json
# On a CPU two processes of one thread train faster than one process of two, and bfloat16 pays where the processor has it.
PROCESSES = $(shell $(PY) -c "import torch; print(1 if torch.cuda.is_available() else 2)")
AMP = $(shell grep -qwE 'avx512_bf16|amx_bf16' /proc/cpuinfo 2>/dev/null && echo --amp)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-upstream lint lock
.DELETE_ON_ERROR:

help:
	@sed -n '1,7s/^# \{0,1\}//p' Makefile

define check_python
$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 10) <= v <= (3, 12) or sys.exit(f"Python 3.10 to 3.12 is needed and $(PYTHON) is {v[0]}.{v[1]}: call make PYTHON=python3.11")'
endef

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(check_python)
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --no-deps --require-hashes -r requirements.lock
	$(PY) -m pip install --no-deps --no-build-isolation -e .
	$(PY) tools/check_env.py
	@touch $@

demo: $(DEMO)/panels/panels.png
	@echo "the demo's result is $(DEMO_RESULT), its panels are in $(DEMO)/panels"

$(DOLLS)/annotations/instances_val.json: | $(VENV)/.installed
	$(PY) tools/data/paper_doll.py --out $(DOLLS) --train 1000 --val 100 --layout coco

$(DEMO_CHECKPOINT): $(DOLLS)/annotations/instances_val.json
	OMP_NUM_THREADS=1 $(PY) -m torch.distributed.run --standalone --nproc-per-node $(PROCESSES) tools/train.py $(DEMO_CONFIG) \
		--work-dir $(DEMO) --resume --launcher pytorch $(AMP) --cfg-options train_dataloader.batch_size=$$((4 / $(PROCESSES)))

$(DEMO_RESULT): $(DEMO_CHECKPOINT)
	$(PY) tools/test.py $(DEMO_CONFIG) $(DEMO_CHECKPOINT) --work-dir $(DEMO) --out $(DEMO)/predictions.json --overwrite

$(DEMO)/panels/panels.png: $(DEMO_RESULT)
	$(PY) tools/analysis/ablation_table.py $(DEMO_RESULT) --per-class
	$(PY) tools/analysis/panels.py $(DEMO_CONFIG) --models CARAFE-FPN=$(DEMO)/predictions.json --random 8 --out $(DEMO)/panels --overwrite

test: $(VENV)/.installed
	$(PY) -m pytest -m "not slow"

test-slow: $(VENV)/.installed
	$(PY) -m pytest -m slow

$(UPSTREAM)/.installed: tests/upstream/requirements.lock pyproject.toml
	@$(check_python)
	test -x $(UPSTREAM)/bin/python || $(PYTHON) -m venv $(UPSTREAM)
	$(UPSTREAM)/bin/python -m pip install --no-deps --require-hashes -r tests/upstream/requirements.lock
	$(UPSTREAM)/bin/python -m pip install --no-deps --no-build-isolation -e .
	@touch $@

test-upstream: $(UPSTREAM)/.installed
	$(UPSTREAM)/bin/python -m pytest -m "not slow"

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

LOCK := uv pip compile --universal --python-version 3.10 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --quiet
lock:
	$(LOCK) pyproject.toml --extra dev -o requirements.lock
	$(LOCK) pyproject.toml tests/upstream/requirements.in --extra dev --override tests/upstream/overrides.txt -o tests/upstream/requirements.lock
