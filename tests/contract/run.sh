#!/usr/bin/env bash
# Tests the contract with the tools of those who build on it: linters, generated clients, schemathesis, the cookbook of the
# README, and a comparison with the last released contract.
#
# Needed: Python 3.11, Node 20, curl, and the registries of PyPI and npm for what requirements.txt and package.json pin.
# Everything is installed under target/. RISKTIER_BIN names a built binary; without it a debug build is made.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools="${CARGO_TARGET_DIR:-target}/contract"
mkdir -p "$tools"
tools="$(cd "$tools" && pwd)"
for needed in python3 node npm curl; do
    command -v "$needed" >/dev/null || { echo "install $needed first" >&2; exit 3; }
done

# Installs when what is pinned differs from what is there.
pinned="$(cat tests/contract/requirements.txt tests/contract/package.json | sha256sum | cut -c1-16)"
if [ "$(cat "$tools/installed" 2>/dev/null)" != "$pinned" ]; then
    rm -rf "$tools/venv" "$tools/node" && mkdir -p "$tools/node"
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check -r tests/contract/requirements.txt
    cp tests/contract/package.json "$tools/node/"
    (cd "$tools/node" && npm install --silent --no-fund --no-audit --no-package-lock)
    echo "$pinned" >"$tools/installed"
fi

if [ -z "${RISKTIER_BIN:-}" ]; then
    cargo build --locked --quiet --bin risktier
    RISKTIER_BIN="${CARGO_TARGET_DIR:-target}/debug/risktier"
fi
export RISKTIER_BIN
exec "$tools/venv/bin/python" tests/contract/contract.py --tools "$tools" "$@"
