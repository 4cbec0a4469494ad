#!/usr/bin/env bash
# Batch scoring from the command line, end to end on a small synthetic cohort: `bash demos/batch.sh [DIR]`.
# Makes a cohort, trains, scores it to Parquet and CSV, and evaluates. About two minutes. Without DIR everything lies in
# a temporary folder, which is removed at the end.
set -euo pipefail

if [ $# -gt 0 ]; then
  dir=$1
  mkdir -p "$dir"
else
  dir=$(mktemp -d)
  trap 'rm -rf "$dir"' EXIT
fi
here=$(cd "$(dirname "$0")/.." && pwd)
multimodal=$here/.venv/bin/multimodal
[ -x "$multimodal" ] || multimodal=multimodal

# A command whose answers are complete ends with 0; 4 says that some records have none because of their input.
complete() { "$@" || [ $? -eq 4 ]; }

"$multimodal" synthesize --patients 200 --seed 0 --out "$dir/cohort"
complete "$multimodal" validate "$dir/cohort"

# Small encoders, few steps; leave the --set options out for a good model.
"$multimodal" train "$dir/cohort" --out "$dir/model" --holdout 0.3 \
  --set image.size=64 --set image.min_steps=60 --set image.max_steps=60 \
  --set notes.encoders=words --set vitals.encoders=forest,logistic

complete "$multimodal" predict "$dir/model" "$dir/cohort" --out "$dir/predictions.parquet"
complete "$multimodal" predict "$dir/model" "$dir/cohort" --out "$dir/predictions.csv"
head -n 3 "$dir/predictions.csv"
# Where the model abstains, NEWS2 may decide the risks; the column decided_by says where it did.
complete "$multimodal" predict "$dir/model" "$dir/cohort" --out "$dir/with-news2.csv" --fallback news2

# Only the 30 % of patients that the training left out are counted.
"$multimodal" evaluate "$dir/model" "$dir/cohort" --out "$dir/evaluation"
ls "$dir/evaluation"
