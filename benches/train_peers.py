"""Trains peers on the same rows as `risktier train` and prints one line each, with cards of ours beside. Run by
benches/train.sh.

    train_peers.py TABLE ROLES [FIRST_DAY_OF_VALIDATION [NAME=scorecard.json ...]]

Intervals are bootstrap intervals of 95 percent on the rows that validate, drawn by group where the roles name one; the
last lines are the differences of ours to each peer on the same draws. Needs numpy, scikit-learn, pandas and lightgbm from
PyPI.
"""
import json
import pathlib
import sys
import time
import tomllib

import lightgbm
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


ROUNDS = 1000


def calibration_error(p, y):
    order = np.argsort(p, kind="stable")
    return sum(abs(p[part].sum() - y[part].sum()) for part in np.array_split(order, 10)) / len(y)


MEASURES = {
    "AUC": lambda y, p: roc_auc_score(y, p),
    "log loss": lambda y, p: log_loss(y, p),
    "Brier": lambda y, p: brier_score_loss(y, p),
    "calibration error": lambda y, p: calibration_error(p, y),
}


def draws(groups):
    """Rows of each bootstrap round."""
    rng = np.random.default_rng(1)
    _, group = np.unique(groups, return_inverse=True)
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(group.max() + 2))
    for _ in range(ROUNDS):
        picked = rng.integers(0, group.max() + 1, group.max() + 1)
        yield np.concatenate([order[ends[at]:ends[at + 1]] for at in picked])


def interval(values):
    low, high = np.percentile(values, [2.5, 97.5])
    return f"[{low:+.4f}, {high:+.4f}]" if low < 0 else f"[{low:.4f}, {high:.4f}]"


def figures(name, seconds, y, p):
    taken = f"{seconds:8.2f} s" if seconds is not None else " " * 10
    print(f"{name:24} {taken}  " + "  ".join(f"{what} {of(y, p):.4f}" for what, of in MEASURES.items())
          + f"  mean {p.mean():.4f} of {y.mean():.4f}", flush=True)


def compared(predicted, ours, y, groups):
    """Intervals of every model, and of ours less each peer."""
    found = {name: {what: [] for what in MEASURES} for name in predicted}
    for rows in draws(groups):
        for name, p in predicted.items():
            for what, of in MEASURES.items():
                found[name][what].append(of(y[rows], p[rows]))
    print(f"-- bootstrap intervals, {ROUNDS} rounds by group")
    for name in predicted:
        print(f"{name:24} " + "  ".join(f"{what} {interval(found[name][what])}" for what in MEASURES))
    for mine in ours:
        for name in predicted:
            if name not in ours:
                gaps = {what: np.array(found[mine][what]) - np.array(found[name][what]) for what in MEASURES}
                print(f"{mine} less {name}: " + "  ".join(f"{what} {interval(gap)}" for what, gap in gaps.items()))


def main(path, roles_path, first_day, cards):
    roles = tomllib.load(open(roles_path, "rb"))
    data = pd.read_csv(path, dtype={name: str for name in roles.get("categories", [])})
    drop = [roles["outcome"], roles.get("day"), roles.get("group"), *roles.get("after", []), *roles.get("ignore", [])]
    y = data[roles["outcome"]].to_numpy()
    if first_day:
        fit = (data[roles["day"]] < first_day).to_numpy()
    else:
        fit = np.arange(len(data)) < int(len(data) * 0.8)
    x = data.drop(columns=[name for name in drop if name in data])
    for name in roles.get("categories", []):
        x[name] = x[name].astype(str)
    texts = [name for name in x if not pd.api.types.is_numeric_dtype(x[name])]
    numbers = [name for name in x if name not in texts]

    begin = time.perf_counter()
    model = make_pipeline(
        ColumnTransformer([
            ("numbers", make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
            ("texts", OneHotEncoder(handle_unknown="ignore", min_frequency=20), texts),
        ]),
        LogisticRegression(max_iter=2000),
    ).fit(x[fit], y[fit])
    seconds = time.perf_counter() - begin
    predicted = {"scikit-learn logistic": model.predict_proba(x[~fit])[:, 1]}
    figures("scikit-learn logistic", seconds, y[~fit], predicted["scikit-learn logistic"])

    frame = x.copy()
    for name in texts:
        frame[name] = frame[name].astype("category")
    for name, settings in [
        ("LightGBM 200 x 31", dict(n_estimators=200, num_leaves=31, learning_rate=0.05)),
        ("LightGBM 100 x 7", dict(n_estimators=100, num_leaves=7, learning_rate=0.05)),
    ]:
        begin = time.perf_counter()
        model = lightgbm.LGBMClassifier(**settings, n_jobs=1, deterministic=True, random_state=1, verbose=-1)
        model.fit(frame[fit], y[fit])
        seconds = time.perf_counter() - begin
        predicted[name] = model.predict_proba(frame[~fit])[:, 1]
        figures(name, seconds, y[~fit], predicted[name])
    if not cards:
        return
    import quality

    texts_too = x[~fit].assign(**{name: x.loc[~fit, name].where(data.loc[~fit, name].notna(), None) for name in texts})
    for card in cards:
        name, file = card.split("=", 1)
        read = json.load(open(file))
        total = quality.score(read, texts_too)
        predicted[name] = quality.probability(read, total)
        told = json.load(open(pathlib.Path(file).with_name("training.json")))["validation"]["auc"]
        if abs(told - quality.area(y[~fit], total)) > 1e-9:
            sys.exit(f"the card read here gives {quality.area(y[~fit], total)}, and the program says {told}")
        figures(name, None, y[~fit], predicted[name])
    groups = data.loc[~fit, roles["group"]].to_numpy() if roles.get("group") else np.arange((~fit).sum())
    compared(predicted, [card.split("=", 1)[0] for card in cards], y[~fit], groups)


def make(path, rows):
    """A table of 40 columns: sparse counts, heavy-tailed amounts, flags, ages; a fifth of the cells missing in some."""
    rng = np.random.default_rng(1)
    columns, logit = {}, np.full(rows, -2.4)
    for at in range(40):
        kind = at % 4
        if kind == 0:
            value = rng.poisson(0.3, rows).astype(float)
            logit += [0.6, 0.3, 0.0, 0.0][at % 16 // 4] * np.minimum(value, 3)
        elif kind == 1:
            value = np.where(rng.random(rows) < 0.8, 0.0, np.exp(rng.normal(8, 2, rows)))
            logit += [0.08, 0.04, 0.0, 0.0][at % 16 // 4] * np.log1p(value)
        elif kind == 2:
            value = (rng.random(rows) < 0.2).astype(float)
            logit += [0.7, 0.3, 0.0, 0.0][at % 16 // 4] * value
        else:
            value = rng.gamma(2, 5, rows)
            logit += [-0.05, 0.0, 0.4, 0.0][at % 16 // 4] * (value if at % 16 < 12 else 0) * (1 if at % 16 == 3 else 0.2)
        if at % 5 == 0:
            value = np.where(rng.random(rows) < 0.2, np.nan, value)
        columns[f"x{at:02}"] = value
    logit += 0.8 * (columns["x02"] * (columns["x03"] < 8)) - 1.0
    columns["outcome"] = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)
    pd.DataFrame(columns).round(4).to_csv(path, index=False)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]))
    else:
        main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None, sys.argv[4:])
