"""Draws the same sizes from the same pool with pandas, for comparison with `cargo bench --bench draw`.

    cargo bench --bench draw -- --pandas pool.csv
    python3 benches/draw_pandas.py pool.csv [RUNS]

Needs pandas from PyPI. The pool is read before the clock starts. pandas draws by row positions from a general generator:
nothing is verifiable afterwards, and another order of rows is another sample. The second way hashes every id as the
draw does, so that the sample can be recomputed.
"""
import hashlib
import statistics
import sys
import time

import pandas as pd


def by_group(pool):
    """The idiom for one size per stratum."""
    sizes = pool.groupby("stratum").size() * pool.groupby("stratum")["percent"].first() // 100
    parts = [rows.sample(sizes[key], random_state=7) for key, rows in pool.groupby("stratum")]
    return len(pd.concat(parts))


def by_ticket(pool):
    """Tickets from a hash of each id, then the smallest of each stratum."""
    start = hashlib.sha256(b"0" * 64 + b",")

    def ticket(id_):
        state = start.copy()
        state.update(id_.encode())
        return int.from_bytes(state.digest()[:8], "big")

    tickets = pool["id"].map(ticket)
    ranks = tickets.groupby(pool["stratum"]).rank(method="first")
    sizes = pool.groupby("stratum")["stratum"].transform("size") * pool["percent"] // 100
    return int((ranks <= sizes).sum())


def main(path, runs):
    pool = pd.read_csv(path, dtype={"id": str})
    print(f"pandas {pd.__version__}, {len(pool)} objects, medians of {runs}")
    for name, draw in (("groupby sample per stratum", by_group), ("tickets by hashlib, rank per stratum", by_ticket)):
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            drawn = draw(pool)
            times.append(time.perf_counter() - start)
        print(f"{name:38} {statistics.median(times):8.3f} s  {drawn} drawn", flush=True)


main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3)
