#!/usr/bin/env bash
# Grades a folder of submissions on four nodes: sbatch docs/examples/slurm-array.sh lab04 downloads graded
# When the array has ended: python -m labkit merge graded/part-* --out graded/all
#SBATCH --array=1-4
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=02:00:00
set -euo pipefail

lab=$1 submissions=$2 out=$3
part=${SLURM_ARRAY_TASK_ID:-1} parts=${SLURM_ARRAY_TASK_COUNT:-1}

# One secret for all parts: the first task to come makes it, and the link is there as a whole or not at all.
mkdir -p "$out"
umask 077
python -c 'import secrets; print(secrets.token_hex())' >"$out/secret.$part"
ln "$out/secret.$part" "$out/secret" 2>/dev/null || true

exec python -m labkit grade "$lab" "$submissions" --out "$out/part-$part" --shard "$part/$parts" \
    --secret-file "$out/secret" --jobs "${SLURM_CPUS_PER_TASK:-1}"
