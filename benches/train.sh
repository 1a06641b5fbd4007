#!/bin/sh
# Trains on made-up tables of 100,000 and 1,000,000 rows by 40 columns, and on the real sample if its folder is given,
# beside scikit-learn and LightGBM on the same rows and one thread:
#   benches/train.sh FOLDER_FOR_TABLES [FOLDER_OF_THE_SAMPLE]
# Needs python3 with numpy, pandas, scikit-learn and lightgbm, and a release build of risktier.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
risktier=${RISKTIER:-${CARGO_TARGET_DIR:-$here/../target}/release/risktier}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
mkdir -p "$out"
printf 'format = "risktier-roles/1"\noutcome = "outcome"\n' >"$out/roles.toml"
ours() {
    for fitter in woe boost; do
        echo "== risktier train --fitter $fitter"
        # The user time of one thread, the whole command: reading, fitting, points, exports.
        /usr/bin/env time -f "%U s user, %e s in all, %M kB" \
            "$risktier" train --table "$1" --roles "$2" --fitter $fitter --threads 1 --out "$out/card-$fitter" $3 2>"$out/log" |
            head -5
        tail -1 "$out/log"
    done
}
for rows in ${ROWS:-100000 1000000}; do
    table=$out/table-$rows.csv
    [ -f "$table" ] || python3 "$here/train_peers.py" make "$table" "$rows"
    echo "==== $rows rows x 40 columns"
    ours "$table" "$out/roles.toml" ""
    python3 "$here/train_peers.py" "$table" "$out/roles.toml"
done
if [ $# -gt 1 ]; then
    roles=$here/../tests/data/chicago_food/roles.toml
    echo "==== the real sample, fitted to 2013-09-30"
    ours "$2/inspections.csv" "$roles" "--validate-from 2013-10-01"
    python3 "$here/train_peers.py" "$2/inspections.csv" "$roles" 2013-10-01 \
        "weights of evidence=$out/card-woe/scorecard.json" "boosting=$out/card-boost/scorecard.json"
fi
