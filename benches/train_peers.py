"""Trains peers on the same rows as `risktier train` and prints one line each. Run by benches/train.sh.

Needs numpy, scikit-learn, pandas and lightgbm from PyPI.
"""
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


def calibration_error(p, y):
    order = np.argsort(p, kind="stable")
    return sum(abs(p[part].sum() - y[part].sum()) for part in np.array_split(order, 10)) / len(y)


def figures(name, seconds, y, p):
    a = roc_auc_score(y, p)
    bad, good = y.sum(), len(y) - y.sum()
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    error = ((a * (1 - a) + (bad - 1) * (q1 - a * a) + (good - 1) * (q2 - a * a)) / (bad * good)) ** 0.5
    print(
        f"{name:32} {seconds:8.2f} s  AUC {a:.4f} ± {error:.4f}  log loss {log_loss(y, p):.4f}  "
        f"Brier {brier_score_loss(y, p):.4f}  calibration error {calibration_error(p, y):.4f}",
        flush=True,
    )


def main(path, roles_path, first_day):
    roles = tomllib.load(open(roles_path, "rb"))
    data = pd.read_csv(path)
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
    figures("scikit-learn logistic", seconds, y[~fit], model.predict_proba(x[~fit])[:, 1])

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
        figures(name, seconds, y[~fit], model.predict_proba(frame[~fit])[:, 1])


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
        main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
