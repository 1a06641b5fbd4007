#!/usr/bin/env bash
# Times the import of a made-up register into the embedded store and, if an empty database is named, into PostgreSQL;
# then the same import again, which changes nothing, and a walk through the whole register.
#
#   bash benches/import.sh [postgresql://user@host/database] [enterprises] [records]
#
# Default: no database, 200,000 enterprises, 800,000 records.
set -euo pipefail
cd "$(dirname "$0")/.."

url="${1:-}"
enterprises="${2:-200000}"
records="${3:-800000}"
cargo build --locked --release --quiet
risktier="$PWD/target/release/risktier"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"$risktier" bench-data --out "$folder/data" --enterprises "$enterprises" --records "$records" >/dev/null

timed() {
    local name="$1" start end
    shift
    start="$(date +%s.%N)"
    "$@" >"$folder/out" 2>&1 || { cat "$folder/out" >&2; exit 3; }
    end="$(date +%s.%N)"
    printf '%-34s %7.2f s\n' "$name" "$(echo "$end - $start" | bc)"
}

walk() {
    timed "$1: import" "$risktier" import folder "$folder/data"
    timed "$1: the same import again" "$risktier" import folder "$folder/data"
    timed "$1: classify the register" "$risktier" classify
}

export RISKTIER_STORE_PATH="$folder/register.db"
walk "embedded"
if [ -n "$url" ]; then
    export RISKTIER_DATABASE_URL="$url"
    walk "PostgreSQL"
fi
