#!/usr/bin/env bash
# Installs what the tests need and runs them all.
#
# Needed beside the Rust toolchain: a Redis server and Python 3. Both are installed with apt-get where it is there and
# they are missing; elsewhere install them first. Real inspection data, if there is any, is found by RISKTIER_SAMPLE_DIR.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
command -v python3 >/dev/null || missing+=(python3)
command -v cc >/dev/null || missing+=(build-essential)
if [ "${#missing[@]}" -gt 0 ]; then
    command -v apt-get >/dev/null || { echo "install ${missing[*]} first" >&2; exit 3; }
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked "$@"
else
    cargo test --locked --lib --bins --tests "$@"
fi
cargo test --locked --doc
