#!/usr/bin/env bash
# All that only a machine with a GPU can show: bash tests/bench/on_gpu.sh FOLDER [PART...]
#
# Each stage has seconds of its own; one that fails stops no other. What they say and write is in FOLDER/results.tar.gz,
# which is made again after each part. SECONDS_IN_ALL bounds the whole. For a machine without a network DOWNLOADS is a
# folder with the files that Lab 07 fetches, and BERT one with a BERT. PYTHON and DEVICE are for trying this elsewhere.
set -u
cd "$(dirname "$0")/../.." || exit
results=$(mkdir -p "$1" && cd "$1" && pwd)/results.tar.gz || exit
shift
scratch=$(mktemp -d) && mkdir "$scratch/results" && trap 'rm -rf "$scratch"' EXIT || exit
work=$scratch/results
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
    # As Ctrl-C, after which a job still writes its curves; Bash lets what runs beside it ignore that.
    env --default-signal=INT timeout -s INT -k 10 $((limit < left ? limit : left)) "$@" >"$work/$name.log" 2>&1
    rc=$?
    echo "== $name: exit $rc, $((SECONDS - start)) s, done at $SECONDS s"
    grep -a -E 'points +[0-9]+ of|[0-9]+ passed|[0-9]+ failed|MISSED|undecided|differs|Error' "$work/$name.log" | tail -n 6
    ((rc == 0)) || tail -n 4 "$work/$name.log"
}

suite() { # STEM WORDS...: the graded suite on its solution
    local stem=$1
    shift
    "$python" -m pytest -q --no-header -p no:cacheprovider "tests/test_$stem.py" --impl solutions --device "$device" "$@"
}

job() { # NAME LIMIT WORDS...: a training of Lab 07, what it writes in a folder of its own
    local name=$1 limit=$2 more=()
    shift 2
    mkdir -p "$work/$name"
    [[ $name == *bert && ${BERT:-} ]] && more=(--pretrained "$BERT")
    stage "$name" "$limit" "$python" -m labkit run lab07 --impl solutions \
        "$@" "${more[@]}" --device "$device" --downloads "$downloads" --out "$work/$name"
}

export python device
export -f suite

for part in "${@:-suites bench compare step-time alone parity}"; do
    # shellcheck disable=SC2086 # the default is several words
    for one in $part; do
        case $one in
        suites) # nothing is timed: all at once
            for lab in labs/lab*/lab.toml; do
                stem=$(basename "$(dirname "$lab")") && stem=${stem#lab??_}
                stage "suite-$stem" 160 bash -c "suite $stem --json '$work/suite-$stem.json'" &
            done
            wait
            ;;
        bench)
            for which in limits roofline ladder; do
                stage "bench-$which" 240 "$python" -m bench.bench --device "$device" --part "$which"
            done
            cp runs/{bench,ladder,roofline}-"$device".json "$work/"
            ;;
        compare) stage compare 75 "$python" -m labkit run lab04 --impl solutions --compare --device "$device" ;;
        step-time) stage step-time 90 "$python" -m labkit experiment step-time --out "$work" ;;
        alone) # timed: one after the other
            for name in words images bert; do job "alone-$name" 120 "$name" --seeds 1; done
            ;;
        parity)
            for dtype in bf16 fp16; do job "parity-words-$dtype" 400 words --dtype fp32 --dtype "$dtype" --seeds 8 & done
            for name in images bert; do job "parity-$name" 400 "$name" --seeds 10 & done
            wait
            ;;
        *) echo "there is no part $one" ;;
        esac
        tar -czf "$results" -C "$scratch" results
    done
done
echo "All in $SECONDS s; $results"
