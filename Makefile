# Everything starts from git, make and a Python 3.10 to 3.14 with venv, or uv:
#   make demo            set up, then from drawn dolls over segmentation to try-on: the report is work_dirs/demo/report.html
#   make demo-segmentation   only its first half
#   make photos CCP=FOLDER [POSES=FOLDER]   models for photos of your own, from Clothing Co-Parsing: docs/own_photos.md
#   make web [MODELS=DIR] [POSE=none|FILE]   a page in the browser to try it in; FILE has Keypoint R-CNN's weights
#   make test            set up and run the test suite
#   make setup           only set up the environment in .venv
#   make test-slow       the tests that take minutes            make lint   ruff
#   make test-faults     every fault of tests/faults in full (an hour), and docs/reliability.md from what came of it
#   make test-upstream   the suite on mmcv-lite 2.1.0, mmdet 3.3.0, mmengine 0.10.7 (in .venv-upstream)
#   make lock            resolve the locks anew (needs uv)
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UPSTREAM := .venv-upstream

# The demo: each step leaves a file that the next one needs, so that a second call does nothing twice.
DEMO := work_dirs/demo
DEMO_DOLLS := data/paper-doll
DEMO_TRYON_DOLLS := data/paper-doll-demo
SEGMENTER_CONFIG := configs/segmentation/mask-rcnn_r50-c4_panoptic-fpn-slim_finetune_1e_paper-doll.py
SEGMENTER := $(DEMO)/segmenter/epoch_1.pth
SEGMENTER_RESULT := $(DEMO)/segmenter/epoch_1.paper-doll-val.json
GMM_CONFIG := configs/tryon/gmm_aux-seg_mask-rcnn-parse_128x96_2k_paper-doll.py
GMM := $(DEMO)/gmm/iter_500.pth
GMM_RESULT := $(DEMO)/gmm/iter_500.paper-doll-test.json
TOM_CONFIG := configs/tryon/tom_aux-seg_mask-rcnn-parse_128x96_1k_paper-doll.py
TOM := $(DEMO)/tom/iter_300.pth
TOM_RESULT := $(DEMO)/tom/iter_300.paper-doll-test.json
TOM_UNPAIRED_RESULT := $(DEMO)/tom/iter_300.paper-doll-test-unpaired.json
DEMO_MODELS := $(DEMO)/models
WARPED_BY_GMM := --cfg-options model.warper.checkpoint=$(GMM)
# Dolls 1 to 5 of the test set try on what dolls 11 to 15 wear.
PERSONS := $(foreach n,1 2 3 4 5,$(DEMO_TRYON_DOLLS)/test/image/00000$(n)_0.jpg)
GARMENTS := $(foreach n,1 2 3 4 5,$(DEMO_TRYON_DOLLS)/test/cloth/00001$(n)_1.jpg)
# On a CPU two processes of one thread train faster than one process of two, and bfloat16 pays where the processor has it.
# Asked for once, as it takes seconds.
PROCESSES = $(eval PROCESSES := $(shell $(PY) -c "import torch; print(1 if torch.cuda.is_available() else 2)"))$(PROCESSES)
AMP = $(shell grep -qwE 'avx512_bf16|amx_bf16' /proc/cpuinfo 2>/dev/null && echo --amp)
# $(call step,NAME) before a command notes how long it took, for the report.
WORK := $(DEMO)
step = $(PY) tools/timed.py $(WORK)/timings.jsonl "$(1)" $(PY)
on_all_cores = OMP_NUM_THREADS=1 $(step) -m torch.distributed.run --standalone --nproc-per-node $(PROCESSES)
# The rows' own trainings, made shorter: the demo shows the way, not how good the models become. Each is tested in a step
# of its own, so that it is not at its end too.
train_in = --work-dir $(1) --resume --launcher pytorch $(AMP) \
	--cfg-options train_dataloader.batch_size=$(shell expr 4 / $(PROCESSES)) train_cfg.val_begin=100000 \
	default_hooks.checkpoint.max_keep_ckpts=2
short_epoch = train_dataloader.dataset.indices=288 param_scheduler.1.end=72
# $(call iterations,N): the first half at one rate, then down to zero.
iterations = train_cfg.max_iters=$(1) param_scheduler.0.begin=$(shell expr $(1) / 2) param_scheduler.0.end=$(shell expr $(1) + 1)

# Models for photos of one's own, on the photos of Clothing Co-Parsing: CCP is the folder as published, POSES one of OpenPose
# files, BACKBONE a file of ImageNet weights (Caffe-style ResNet-50). Without the last two, poses are estimated and the
# weights downloaded.
PHOTOS := work_dirs/photos
PHOTOS_DATA := data/ccp
PHOTOS_EPOCHS := 12
PHOTOS_ITERATIONS := 800
PHOTOS_SEGMENTER_CONFIG := configs/segmentation/mask-rcnn_r50-c4_panoptic-fpn-slim_adamw-lr0.0002_448px_12e_ccp.py
PHOTOS_SEGMENTER := $(PHOTOS)/segmenter/epoch_$(PHOTOS_EPOCHS).pth
PHOTOS_RESULTS = $(PHOTOS_SEGMENTER:.pth=.ccp-val.json) $(PHOTOS_GMM:.pth=.ccp-test.json) $(PHOTOS_TOM:.pth=.ccp-test.json)
PHOTOS_GMM_CONFIG := configs/tryon/gmm_aux-seg_mask-rcnn-parse_256x192_1k_ccp.py
PHOTOS_GMM := $(PHOTOS)/gmm/iter_$(PHOTOS_ITERATIONS).pth
PHOTOS_TOM_CONFIG := configs/tryon/tom_aux-seg_mask-rcnn-parse_256x192_1k_ccp.py
PHOTOS_TOM := $(PHOTOS)/tom/iter_$(PHOTOS_ITERATIONS).pth
$(PHOTOS)/%: WORK := $(PHOTOS)
# $(call of_pairs,train val): those loaders read the pairs that were made.
of_pairs = $(foreach loader,$(1),$(loader)_dataloader.dataset.data_root=$(PHOTOS)/pairs/)

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-segmentation photos photos-plan web web-setup test test-slow test-faults test-upstream lint lock
.DELETE_ON_ERROR:
.NOTPARALLEL:

help:
	@sed -n '1,11s/^# \{0,1\}//p' Makefile

# $(call venv,FOLDER) makes an environment with $(PYTHON), or with a fitting Python that uv finds or brings.
define venv
test -x $(1)/bin/python || \
if $(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then \
	$(PYTHON) -m venv $(1); \
elif command -v uv >/dev/null; then \
	uv venv --seed --python '>=3.10,<3.15' $(1); \
else \
	echo "Python 3.10 to 3.14 with venv is needed, and $(PYTHON) is none: call make PYTHON=python3.12, or install uv, which brings one:"; \
	echo "  curl -LsSf https://astral.sh/uv/install.sh | sh"; \
	exit 1; \
fi
endef

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(call venv,$(VENV))
	$(PY) -m pip install --no-deps --require-hashes -r requirements.lock
	$(PY) -m pip install --no-deps --no-build-isolation -e .
	$(PY) tools/check_env.py
	@touch $@

web: web-setup
	$(PY) tools/web.py $(if $(MODELS),--models $(MODELS)) $(if $(POSE),--pose$(if $(wildcard $(POSE)),-models) $(POSE))

web-setup: $(VENV)/.web-installed

$(VENV)/.web-installed: requirements-web.lock $(VENV)/.installed
	$(PY) -m pip install --no-deps --require-hashes -r requirements-web.lock
	@touch $@

demo: $(DEMO)/report.html
	@echo "the demo's report is $(DEMO)/report.html: open it in a browser"

demo-segmentation: $(DEMO)/panels/panels.png
	@echo "the segmenter's result is $(SEGMENTER_RESULT), its panels are in $(DEMO)/panels"

$(DEMO_DOLLS)/annotations/instances_val.json: | $(VENV)/.installed
	$(call step,draw dolls to segment) tools/data/paper_doll.py --out $(DEMO_DOLLS) --train 1000 --val 100 --layout coco

$(SEGMENTER): $(DEMO_DOLLS)/annotations/instances_val.json
	$(call on_all_cores,train the segmenter) tools/train.py $(SEGMENTER_CONFIG) $(call train_in,$(DEMO)/segmenter) $(short_epoch)

$(SEGMENTER_RESULT): $(SEGMENTER)
	$(call step,test the segmenter) tools/test.py $(SEGMENTER_CONFIG) $(SEGMENTER) --work-dir $(DEMO)/segmenter \
		--out $(DEMO)/segmenter/predictions.json --overwrite

$(DEMO)/panels/panels.png: $(SEGMENTER_RESULT)
	$(PY) tools/analysis/ablation_table.py $(SEGMENTER_RESULT) --per-class
	$(call step,draw the segmenter's panels) tools/analysis/panels.py $(SEGMENTER_CONFIG) \
		--models Mask-R-CNN=$(DEMO)/segmenter/predictions.json --random 8 --out $(DEMO)/panels --overwrite

$(DEMO_TRYON_DOLLS)/test_pairs.txt: | $(VENV)/.installed
	$(call step,draw dolls to dress) tools/data/paper_doll.py --out $(DEMO_TRYON_DOLLS) --train 240 --test 50 --layout viton

$(DEMO)/parsing/done: $(SEGMENTER) $(DEMO_TRYON_DOLLS)/test_pairs.txt
	for split in train test; do \
		$(call on_all_cores,parse the dolls to dress) tools/parse.py $(SEGMENTER_CONFIG) $(SEGMENTER) $(DEMO_TRYON_DOLLS)/$$split/image \
			--out $(DEMO)/parsing/$$split --write label-map --overwrite || exit; \
	done
	@touch $@

$(GMM): $(DEMO)/parsing/done
	$(call on_all_cores,train the GMM) tools/train.py $(GMM_CONFIG) $(call train_in,$(DEMO)/gmm) $(call iterations,500)

$(GMM_RESULT): $(GMM)
	$(call step,test the GMM) tools/test.py $(GMM_CONFIG) $(GMM) --work-dir $(DEMO)/gmm --out $(DEMO)/gmm/test --overwrite

$(TOM): $(GMM)
	$(call on_all_cores,train TOM) tools/train.py $(TOM_CONFIG) $(call train_in,$(DEMO)/tom) $(call iterations,300) model.warper.checkpoint=$(GMM)

$(TOM_RESULT): $(TOM)
	$(call step,test TOM) tools/test.py $(TOM_CONFIG) $(TOM) --work-dir $(DEMO)/tom \
		--out $(DEMO)/tom/test --overwrite $(WARPED_BY_GMM)

$(TOM_UNPAIRED_RESULT): $(TOM)
	$(call step,test TOM on others' garments) tools/test.py $(TOM_CONFIG) $(TOM) --split test-unpaired --work-dir $(DEMO)/tom \
		--out $(DEMO)/tom/test-unpaired --overwrite $(WARPED_BY_GMM)

$(DEMO)/try-on/done: $(SEGMENTER) $(GMM) $(TOM)
	$(call step,try on) tools/try_on.py --person $(PERSONS) --garment $(GARMENTS) --pose $(DEMO_TRYON_DOLLS)/test/pose \
		--segmenter $(SEGMENTER_CONFIG) $(SEGMENTER) --gmm $(GMM_CONFIG) $(GMM) \
		--tom $(TOM_CONFIG) $(TOM) --out $(DEMO)/try-on --overwrite
	@touch $@

$(DEMO_MODELS)/model.json: $(SEGMENTER_RESULT) $(GMM_RESULT) $(TOM_RESULT) $(TOM_UNPAIRED_RESULT)
	$(call step,export the models) tools/export.py --segmenter $(SEGMENTER_CONFIG) $(SEGMENTER) --gmm $(GMM_CONFIG) $(GMM) \
		--tom $(TOM_CONFIG) $(TOM) --results $^ --license Apache-2.0 --out $(DEMO_MODELS) --overwrite

$(DEMO)/report.html: $(DEMO)/panels/panels.png $(DEMO)/try-on/done $(DEMO_MODELS)/model.json
	$(PY) tools/analysis/report.py $(DEMO) --out $@ --overwrite

define PHOTOS_PLAN
This trains a segmenter, GMM and TOM on photos of Clothing Co-Parsing. On two CPU cores it takes about two and a half hours if
POSES names a folder: convert the photos 1 minute, train the segmenter 86, parse the photos 6, make pairs 2, train the GMM 24,
train TOM 28, test all three 3. Estimating the poses comes on top. We have not measured a GPU.
It needs 2 GB in $(PHOTOS). If it is stopped, the same command goes on where it was.
endef
export PHOTOS_PLAN

photos: photos-plan $(PHOTOS)/models/model.json
	@echo "the models are in $(PHOTOS)/models: docs/own_photos.md shows what they do with photos of your own"

photos-plan: | $(VENV)/.installed
	@test -n "$(CCP)" || test -e $(PHOTOS_DATA)/annotations/instances_val.json || \
		{ echo "name the folder of Clothing Co-Parsing: make photos CCP=FOLDER (git clone https://github.com/bearpaw/clothing-co-parsing)"; exit 1; }
	@for path in "$(CCP)" "$(POSES)" "$(BACKBONE)"; do test -z "$$path" || test -e "$$path" || { echo "$$path does not exist"; exit 1; }; done
	@test -e $(PHOTOS)/pairs/train_pairs.txt || $(PY) -c "import sys; from pathlib import Path; from seg_vton.errors import exit_on_user_error; \
		from seg_vton.pose import Poses; exit_on_user_error()(lambda: (p := Poses(sys.argv[1])).file(Path('0001.jpg')) or p.load())()" \
		"$(or $(POSES),auto)"  # not in an hour and a half
	@echo "$$PHOTOS_PLAN"

$(PHOTOS_DATA)/annotations/instances_val.json: | $(VENV)/.installed
	$(call step,convert the photos) tools/data/ccp.py "$(CCP)" --out $(PHOTOS_DATA)

$(PHOTOS_SEGMENTER): $(PHOTOS_DATA)/annotations/instances_val.json
	$(call on_all_cores,train the segmenter) tools/train.py $(PHOTOS_SEGMENTER_CONFIG) $(call train_in,$(PHOTOS)/segmenter) \
		train_cfg.max_epochs=$(PHOTOS_EPOCHS) $(if $(BACKBONE),"model.backbone.init_cfg.checkpoint=$(BACKBONE)")

# The photos with masks are 0001 to 1004; the rows use the first 804.
$(PHOTOS)/parsing/done: $(PHOTOS_SEGMENTER)
	$(call on_all_cores,parse the photos) tools/parse.py $(PHOTOS_SEGMENTER_CONFIG) $(PHOTOS_SEGMENTER) \
		$(PHOTOS_DATA)/photos/0[0-7]*.jpg $(PHOTOS_DATA)/photos/080[0-4].jpg --out $(PHOTOS)/parsing --write label-map
	@touch $@

$(PHOTOS)/pairs/train_pairs.txt: $(PHOTOS)/parsing/done
	$(call step,make pairs) tools/data/pairs_from_photos.py --photos $(PHOTOS_DATA)/photos \
		--masks $(PHOTOS_DATA)/annotations/instances_train.json $(PHOTOS_DATA)/annotations/instances_val.json --poses "$(or $(POSES),auto)" \
		--predicted $(PHOTOS)/parsing --train 0001-0704 --test 0705-0804 --out $(PHOTOS)/pairs --workers 2 --overwrite

$(PHOTOS_GMM): $(PHOTOS)/pairs/train_pairs.txt
	$(call on_all_cores,train the GMM) tools/train.py $(PHOTOS_GMM_CONFIG) $(call train_in,$(PHOTOS)/gmm) \
		$(call iterations,$(PHOTOS_ITERATIONS)) $(call of_pairs,train val)

$(PHOTOS_TOM): $(PHOTOS_GMM)
	$(call on_all_cores,train TOM) tools/train.py $(PHOTOS_TOM_CONFIG) $(call train_in,$(PHOTOS)/tom) \
		$(call iterations,$(PHOTOS_ITERATIONS)) $(call of_pairs,train val) model.warper.checkpoint=$(PHOTOS_GMM)

$(PHOTOS)/segmenter/%.ccp-val.json: $(PHOTOS)/segmenter/%.pth
	$(call step,test the segmenter) tools/test.py $(PHOTOS_SEGMENTER_CONFIG) $< --work-dir $(PHOTOS)/segmenter --overwrite

$(PHOTOS)/gmm/%.ccp-test.json: $(PHOTOS)/gmm/%.pth
	$(call step,test the GMM) tools/test.py $(PHOTOS_GMM_CONFIG) $< --work-dir $(PHOTOS)/gmm --overwrite --cfg-options $(call of_pairs,test)

$(PHOTOS)/tom/%.ccp-test.json: $(PHOTOS)/tom/%.pth
	$(call step,test TOM) tools/test.py $(PHOTOS_TOM_CONFIG) $< --work-dir $(PHOTOS)/tom --overwrite \
		--cfg-options $(call of_pairs,test) model.warper.checkpoint=$(PHOTOS_GMM)

$(PHOTOS)/models/model.json: $(PHOTOS_TOM) $(PHOTOS_RESULTS)
	$(call step,write the model folder) tools/export.py --segmenter $(PHOTOS_SEGMENTER_CONFIG) $(PHOTOS_SEGMENTER) \
		--gmm $(PHOTOS_GMM_CONFIG) $(PHOTOS_GMM) --tom $(PHOTOS_TOM_CONFIG) $(PHOTOS_TOM) \
		--results $(PHOTOS_RESULTS) --license Apache-2.0 --out $(PHOTOS)/models --overwrite

# Two processes of one thread are faster than one of two; tests of one file share what they have trained.
SUITE := -m pytest -m "not slow" --numprocesses 2 --dist loadfile

test: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(PY) $(SUITE)

test-slow: $(VENV)/.installed
	$(PY) -m pytest -m slow

test-faults: $(VENV)/.installed
	FAULTS=full FAULTS_RESULTS=$(CURDIR)/docs/results/faults $(PY) -m pytest tests/faults
	$(PY) tools/analysis/ablation_table.py --fill docs/reliability.md

$(UPSTREAM)/.installed: tests/upstream/requirements.lock pyproject.toml
	@$(call venv,$(UPSTREAM))
	$(UPSTREAM)/bin/python -m pip install --no-deps --require-hashes -r tests/upstream/requirements.lock
	$(UPSTREAM)/bin/python -m pip install --no-deps --no-build-isolation -e .
	@touch $@

test-upstream: $(UPSTREAM)/.installed
	OMP_NUM_THREADS=1 $(UPSTREAM)/bin/python $(SUITE)

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

LOCK := uv pip compile --universal --python-version 3.10 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --quiet
lock:
	$(LOCK) pyproject.toml --extra dev -o requirements.lock
	$(LOCK) pyproject.toml --extra web --extra web-test -c requirements.lock -o requirements-web.lock
	$(LOCK) pyproject.toml tests/upstream/requirements.in --extra dev --override tests/upstream/overrides.txt -o tests/upstream/requirements.lock
