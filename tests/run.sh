#!/usr/bin/env bash
# Installs what the tests need and runs them all.
#
# Needed beside the Rust toolchain: a Redis server, a PostgreSQL server, OpenSSL and Python 3. They are installed with apt-get where
# it is there and they are missing; elsewhere install them first. Real inspection data, if there is any, is found by RISKTIER_SAMPLE_DIR.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
has_postgres() { command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
has_postgres || missing+=(postgresql)
command -v python3 >/dev/null || missing+=(python3)
command -v openssl >/dev/null || missing+=(openssl)
command -v cc >/dev/null || missing+=(build-essential)
if [ "${#missing[@]}" -gt 0 ]; then
    command -v apt-get >/dev/null || { echo "install ${missing[*]} first" >&2; exit 3; }
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    install() {
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    }
    if ! has_postgres; then
        # The tests start servers of their own: the package shall make no database and run none.
        install postgresql-common
        "${as_root[@]}" sed -i 's/^#\? *create_main_cluster *=.*/create_main_cluster = false/' \
            /etc/postgresql-common/createcluster.conf
    fi
    install "${missing[@]}"
fi

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked "$@"
else
    cargo test --locked --lib --bins --tests "$@"
fi
cargo test --locked --doc
