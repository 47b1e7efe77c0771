#!/usr/bin/env bash
# Whether both halves run to their end on this machine's GPU: trainings with and without --amp, through torchrun, asked to
# end and killed and resumed; tests, parsing and try-on with what they trained. Most of it side by side, on drawn dolls:
# under four minutes on 16 cores.
#   tools/gpu/smoke.sh [FOLDER]             logs and the table go to FOLDER (default: a new one under /tmp)
#   DEVICE=cpu tools/gpu/smoke.sh [FOLDER]  shorter, one after another, GPUs hidden
#   PYTHON=.venv/bin/python, LIMIT=120      which Python; seconds after which a process prints its stacks and ends
# The table has a line a run, as it ends: exit code (143 and 137 are those of SIGTERM and SIGKILL), seconds, the last
# iteration, images a second by the last line of its log (start-up left out), and whether it ended as it should.
set -u
repo=$(cd "$(dirname "$0")/../.." && pwd)
out=$(realpath -m "${1:-$(mktemp -d /tmp/seg-vton-smoke.XXXX)}")
python=$(command -v "${PYTHON:-python3}") && python=$(realpath -s "$python") || exit
# a folder called "work" that no earlier run made stays
[ ! -e "$out/work" ] || [ -e "$out/site/sitecustomize.py" ] || { echo "$out/work is not of this script: name another FOLDER"; exit 1; }
rm -rf "$out/work" && mkdir -p "$out/work/data" "$out/site" "$out/log" && cd "$out/work" || exit
ln -s "$repo/configs" "$repo/tools" . && ln -s paper-doll data/paper-doll-tryon
export PYTHONPATH=$out/site:$repo${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 STACKS_AFTER=${LIMIT:-120}
cat > "$out/site/sitecustomize.py" <<'P'
import faulthandler, multiprocessing, os, signal

limit = int(os.environ["STACKS_AFTER"])
faulthandler.dump_traceback_later(limit, exit=True)  # never in a forked child, where it hangs
faulthandler.register(signal.SIGUSR1)  # by which a loader's workers show theirs, before they end with the main process
signal.signal(signal.SIGALRM, lambda *_: [os.kill(child.pid, signal.SIGUSR1) for child in multiprocessing.active_children()])
signal.alarm(limit - 5)
P
if [ "${DEVICE:-cuda}" = cpu ]; then
    export CUDA_VISIBLE_DEVICES="" STACKS_AFTER=${LIMIT:-900}
    dolls=12 iterations=8
    beside() { "$@"; }
else
    dolls=96 iterations=80
    beside() { "$@" & }
fi
"$python" -c 'import os, torch; print("torch", torch.__version__, torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU", len(os.sched_getaffinity(0)), "cores")'
[ "${DEVICE:-cuda}" = cpu ] || "$python" -c 'import torch; torch.zeros(1).cuda()' || exit
echo "open files $(ulimit -n), /dev/shm $(df -h /dev/shm | awk 'NR == 2 {print $4}') free"

segmenter=configs/segmentation/mask-rcnn_r18_carafe-fpn_paper-doll.py
gmm=configs/tryon/gmm_aux-seg_128x96_3k_paper-doll.py tom=configs/tryon/tom_aux-seg_128x96_2k_paper-doll.py
short="default_hooks.logger.interval=1 log_processor.window_size=5 train_dataloader.num_workers=2"
epochs="train_cfg.max_epochs=2 train_cfg.val_interval=2 $short"
steps="train_cfg.max_iters=$iterations train_cfg.val_interval=$iterations default_hooks.checkpoint.interval=$((iterations / 2)) $short"

report() { # name, exit code, wanted exit code, seconds: a line of the table, and the log's end where it should not be so
    local log=$out/log/$1.txt last ok=yes
    last=$(grep '(train)' "$log" || grep '(test)' "$log"); last=${last##*$'\n'}
    [ "$2" = "$3" ] || ok=NO
    printf '%-23s %4s %5s %9s %9s %s\n' "$1" "$2" "$4" "$(grep -oE '\[ *[0-9]+/[0-9]+\]' <<< "$last" | tail -1 | tr -d ' []')" \
        "$(grep -oE ' time: [0-9.]+' <<< "$last" | awk '{printf "%.1f", 4 / $2}')" "$ok" | tee -a "$out/table.txt"
    [ $ok = yes ] || { grep -A8 -E 'most recent call first' "$log" || tail -5 "$log"; } | head -40 | cut -c1-200
}
run() { # name, command: to its end
    local name=$1 began=$SECONDS; shift
    "$python" "$@" > "$out/log/$name.txt" 2>&1
    report "$name" $? 0 $((SECONDS - began))
}
interrupted() { # name, signal, what to wait for (a file, or "a log line"), command: signalled, then resumed to its end
    local name=$1 signal=$2 await=$3 began=$SECONDS pid code; shift 3
    "$python" "$@" > "$out/log/$name.txt" 2>&1 & pid=$!
    until [ -e "$await" ] || { [ "$await" = "a log line" ] && grep -q '(train)' "$out/log/$name.txt"; }; do
        sleep 0.2; kill -0 $pid 2> /dev/null || break
    done
    kill "-$signal" $pid; { wait $pid; } 2> /dev/null; code=$?
    report "$name" $code $((128 + $(kill -l "$signal"))) $((SECONDS - began))
    run "${name}_resumed" "$1" "$2" --resume "${@:3}"
}
# shellcheck disable=SC2086
trainings() { # half, config, its options, its checkpoint at half the training
    local half=$1 config=$2 options=$3 middle=$4 train
    train() { echo "tools/train.py $config --work-dir $half$1 ${*:2} --cfg-options $options"; }
    beside run "${half}_amp" $(train _amp --amp)
    beside run "${half}_torchrun" -m torch.distributed.run --standalone --nproc-per-node 1 $(train _torchrun --launcher pytorch)
    beside interrupted "${half}_TERM" TERM "a log line" $(train _term)
    beside interrupted "${half}_KILL" KILL "${half}_kill/$middle" $(train _kill)
    run "${half}_train" $(train "")
}
# shellcheck disable=SC2086
segmentation() {
    trainings segmenter $segmenter "$epochs" epoch_1.pth
    beside run segmenter_test tools/test.py $segmenter segmenter/epoch_2.pth --work-dir tested
    run segmenter_parse tools/parse.py $segmenter segmenter/epoch_2.pth data/paper-doll/test/image --out parsed --batch-size 4
    wait
}
# shellcheck disable=SC2086
try_on() {
    trainings gmm $gmm "$steps" iter_$((iterations / 2)).pth
    local warper=model.warper.checkpoint=gmm/iter_$iterations.pth tom_options
    tom_options="--cfg-options $steps $warper"
    beside run gmm_test tools/test.py $gmm gmm/iter_$iterations.pth --work-dir tested-gmm
    beside run tom_amp tools/train.py $tom --work-dir tom_amp --amp $tom_options
    run tom_train tools/train.py $tom --work-dir tom $tom_options
    beside run tom_test tools/test.py $tom tom/iter_$iterations.pth --work-dir tested-tom --cfg-options $warper
    local dolls=data/paper-doll/test # by the truth's maps: a segmenter of some iterations finds nobody
    run try_on tools/try_on.py --person $dolls/image --garment $dolls/cloth --pairs data/paper-doll/test_pairs.txt --pose $dolls/pose \
        --parsing $dolls/image-parse --label-space deepfashion15 --gmm $gmm gmm/iter_$iterations.pth --tom $tom tom/iter_$iterations.pth --out tried-on
    wait
}
printf '%-23s %4s %5s %9s %9s %s\n' name code sec iteration images/s "as it should" | tee "$out/table.txt"
run dolls tools/data/paper_doll.py --out data/paper-doll --train $dolls --val 8 --test 8
beside segmentation
beside try_on
wait
echo "$SECONDS s, logs in $out/log"
! grep -q ' NO$' "$out/table.txt"
