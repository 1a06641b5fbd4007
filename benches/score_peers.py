"""Scores made-up rows with scorecard packages and with risktier in the same run, and prints rows per second and ratios.

    cargo bench --bench score --no-run
    python3 benches/score_peers.py target/release/deps/score-…

Needs numpy, pandas, toad and optbinning from PyPI. All use one thread and cards of forty columns; the packages'
have eight bins.
"""
import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import re
import statistics
import subprocess
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd

ROWS = 200_000
COLUMNS = 40
TURNS = 5


def rate(work, rows=ROWS):
    work()
    seconds = []
    for _ in range(TURNS):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return rows / statistics.median(seconds)


def toad_card(x, y):
    import toad

    combiner = toad.transform.Combiner()
    combiner.fit(x, y, method="quantile", n_bins=8)
    woe = toad.transform.WOETransformer()
    values = woe.fit_transform(combiner.transform(x), y)
    card = toad.ScoreCard(combiner=combiner, transer=woe)
    card.fit(values, y)
    return card.predict


def optbinning_card(x, y):
    from optbinning import BinningProcess, Scorecard
    from sklearn.linear_model import LogisticRegression

    process = BinningProcess(list(x), max_n_bins=8)
    card = Scorecard(binning_process=process, estimator=LogisticRegression(), scaling_method="min_max",
                     scaling_method_params={"min": 0, "max": 1000}, intercept_based=False, rounding=True)
    card.fit(x, y)
    return card.score


def ours(program):
    told = subprocess.run([program, "--bench"], capture_output=True, text=True, check=True).stdout
    rates, work, name = {}, None, None
    for line in told.splitlines():
        named = re.match(r"[├╰]─ (\w+)", line)
        if named:
            work, name = named.group(1), None
        bins = re.match(r"[│ ]\s+[├╰]─ (\d+)", line)
        if bins:
            name = f"{work}, {bins.group(1)} bins"
        items = re.findall(r"([\d.]+) ([KMG])item/s", line)
        if name and items:
            # Columns: fastest, slowest, median, mean.
            value, unit = items[2]
            rates[name] = float(value) * {"K": 1e3, "M": 1e6, "G": 1e9}[unit]
    return rates


def main():
    rng = np.random.default_rng(1)
    x = pd.DataFrame(rng.random((ROWS, COLUMNS)), columns=[f"c{at:02}" for at in range(COLUMNS)])
    x = x.mask(rng.random(x.shape) < 0.05)
    risk = sum((0.4 if at % 2 else -0.4) * x[f"c{at:02}"].fillna(0.5) for at in range(COLUMNS)) - 2
    y = pd.Series((rng.random(ROWS) < 1 / (1 + np.exp(-risk))).astype(int))
    peers = {}
    for name, card in [("toad", toad_card), ("optbinning", optbinning_card)]:
        filled = x.fillna(-1) if name == "toad" else x
        score = card(filled.iloc[:50_000], y.iloc[:50_000])
        peers[name] = rate(lambda: score(filled))
        print(f"{name:46} {peers[name] / 1e6:8.2f} M rows/s", flush=True)
    fastest = max(peers.values())
    for name, value in ours(sys.argv[1]).items():
        print(f"risktier {name:37} {value / 1e6:8.2f} M rows/s  {value / fastest:6.1f} x the fastest of them")


if __name__ == "__main__":
    main()
