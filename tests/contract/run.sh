#!/usr/bin/env bash
# Tests the contract with the tools of those who build on it: linters, generated clients, schemathesis, the cookbook of the
# README, and a comparison with the last released contract. Needs some two minutes on two cores, once the tools are there.
#
# Needed: Python 3.11 or later, Node, curl, and the registries of PyPI and npm for what requirements.txt and package.json pin.
# What is missing is installed with apt-get where it is there; the tools go under target/. RISKTIER_BIN names a built
# binary; without it a debug build is made. Arguments name single steps.
#
# A longer search: RISKTIER_CONTRACT_EXAMPLES=100 RISKTIER_CONTRACT_SEED=$RANDOM bash tests/contract/run.sh schemathesis
set -euo pipefail
cd "$(dirname "$0")/../.."

missing=()
command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
command -v node >/dev/null && command -v npm >/dev/null || missing+=(nodejs npm)
command -v curl >/dev/null || missing+=(curl)
if [ "${#missing[@]}" -gt 0 ]; then
    command -v apt-get >/dev/null || { echo "install ${missing[*]} first" >&2; exit 3; }
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

tools="${RISKTIER_CONTRACT_TOOLS:-${CARGO_TARGET_DIR:-target}/contract}"
mkdir -p "$tools"
tools="$(cd "$tools" && pwd)"

# Distributions have older Nodes than the linters need; npm brings one.
node_version=20.20.2
node_is_new() { "$1" -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'; }
if ! node_is_new node; then
    case "$(uname -m)" in aarch64) processor=arm64 ;; *) processor=x64 ;; esac
    own="$tools/own-node"
    if ! { [ -x "$own/node_modules/node-linux-$processor/bin/node" ] && node_is_new "$own/node_modules/node-linux-$processor/bin/node"; }; then
        mkdir -p "$own"
        timeout 300 npm install --silent --no-fund --no-audit --prefix "$own" "node-linux-$processor@$node_version"
    fi
    export PATH="$own/node_modules/node-linux-$processor/bin:$PATH"
fi

# Installs when what is pinned differs from what is there; a registry that does not answer is asked once more.
again() { "$@" || { sleep 5; "$@"; }; }
pinned="$(cat tests/contract/requirements.txt tests/contract/package.json | sha256sum | cut -c1-16) $tools"
if [ "$(cat "$tools/installed" 2>/dev/null)" != "$pinned" ]; then
    echo "    the tools are installed under $tools"
    rm -rf "$tools/venv" "$tools/node"
    mkdir -p "$tools/node"
    python3 -m venv "$tools/venv"
    again timeout 300 "$tools/venv/bin/pip" install --quiet --disable-pip-version-check -r tests/contract/requirements.txt
    cp tests/contract/package.json "$tools/node/"
    (cd "$tools/node" && again timeout 300 npm install --silent --no-fund --no-audit --no-package-lock)
    echo "$pinned" >"$tools/installed"
fi

if [ -z "${RISKTIER_BIN:-}" ]; then
    cargo build --locked --quiet --bin risktier
    RISKTIER_BIN="${CARGO_TARGET_DIR:-target}/debug/risktier"
fi
export RISKTIER_BIN
exec "$tools/venv/bin/python" tests/contract/contract.py --tools "$tools" "$@"
