#!/usr/bin/env bash
# All that only a machine with a GPU can show, in one go: bash tests/bench/on_gpu.sh FOLDER
#
# Each stage has seconds of its own, and what it says goes to FOLDER/work/STAGE.log; a stage that fails stops no other.
# FOLDER/results.tar.gz holds all of it, and is written again after each stage. SECONDS_IN_ALL bounds the whole;
# DOWNLOADS is a folder with the files that Lab 07 fetches, BERT one with another pretrained BERT, for a machine without
# a network; PYTHON and DEVICE are for trying this script elsewhere.
set -u
cd "$(dirname "$0")/../.." || exit
out=$(mkdir -p "$1/work" && cd "$1" && pwd) || exit
work=$out/work
python=${PYTHON:-python3} device=${DEVICE:-cuda} in_all=${SECONDS_IN_ALL:-540} downloads=${DOWNLOADS:-runs/downloads}
export PYTHONPATH=$PWD/src:$PWD/tests${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 MPLBACKEND=agg
SECONDS=0

stage() { # NAME LIMIT COMMAND...: runs it, keeps its log, and says how it ended
    local name=$1 limit=$2 left=$((in_all - SECONDS)) start=$SECONDS rc
    shift 2
    if ((left < 5)); then
        echo "$name: left out, no time" | tee "$work/$name.log"
        return
    fi
    timeout -k 5 $((limit < left ? limit : left)) "$@" >"$work/$name.log" 2>&1
    rc=$?
    echo "== $name: exit $rc, $((SECONDS - start)) s, done at $SECONDS s"
    grep -a -E 'points +[0-9]+ of|[0-9]+ passed|[0-9]+ failed|MISSED|undecided|differs|Error' "$work/$name.log" | tail -n 6
    ((rc == 0)) || tail -n 4 "$work/$name.log"
}

pack() { tar -czf "$out/results.tar.gz" -C "$out" work; }

suite() { # STEM WORDS...: the graded suite on its solution
    local stem=$1
    shift
    "$python" -m pytest -q --no-header -p no:cacheprovider "tests/test_$stem.py" --impl solutions --device "$device" "$@"
}

job() { # NAME LIMIT WORDS...: a training of Lab 07, what it writes in a folder of its own
    local name=$1 limit=$2
    shift 2
    mkdir -p "$work/$name"
    stage "$name" "$limit" "$python" -m labkit run lab07 --impl solutions \
        "$@" --device "$device" --downloads "$downloads" --out "$work/$name"
}

bench() { stage "$1" "$2" "$python" -m bench.bench --device "$device" --part "$1"; }

export python device
export -f suite
versions='import torch, sys; print(sys.version); print(torch.__config__.show()); print(torch.utils.collect_env.get_pretty_env_info())'
stage nvidia-smi 20 nvidia-smi
stage versions 60 "$python" -c "import torch.utils.collect_env; $versions"
pack

for stem in mixed_precision build_amp capstones; do
    stage "suite-$stem" 170 bash -c "suite $stem --json '$work/suite-$stem.json'" &
done
wait
pack

bench roofline 100
pack
bench ladder 220
pack
bench limits 100
cp runs/*-"$device".* "$work/"
pack
stage compare 75 "$python" -m labkit run lab04 --impl solutions --compare --device "$device"
pack

job words-bf16 170 words --dtype fp32 --dtype bf16 --seeds 4 &
job words-fp16 170 words --dtype fp32 --dtype fp16 --seeds 4 &
TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 job words-tf32 170 words --dtype fp32 --seeds 4 &
job images 170 images --seeds 4 &
NVIDIA_TF32_OVERRIDE=0 job images-ieee 170 images --dtype fp32 --seeds 4 &
job bert 170 bert --seeds 4 ${BERT:+--pretrained "$BERT"} &
TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 job bert-tf32 170 bert --dtype fp32 --seeds 4 ${BERT:+--pretrained "$BERT"} &
for stem in mixed_precision build_amp capstones; do
    stage "sandboxed-$stem" 170 bash -c "suite $stem --isolation limits --json '$work/sandboxed-$stem.json'" &
done
wait
pack
stage doctor 60 "$python" -m labkit doctor
stage tests 60 "$python" -m pytest -q -p no:cacheprovider tests/course/test_gpu_bench.py
stage audit 30 "$python" -m labkit run lab04 --impl solutions --audit --device "$device"
stage train 60 "$python" -m labkit run lab04 --impl solutions --dtype fp16 --device "$device"
pack
echo "All in $SECONDS s; $out/results.tar.gz"
