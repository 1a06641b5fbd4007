#!/usr/bin/env python3
"""Replays a risktier plan (risktier-draw/1): what is recorded is computed again, every difference is listed by name.
    python3 verify_plan.py --transcript T --pool P [--sample S] [--group G]
Exit code 0: no difference, 1: it differs, 2: it could not run. Needs only the standard library. `plan_id` and
`previous` are no inputs of the draw: compare the digest of the file with `previous` of the next plan closed."""
import argparse, collections, hashlib, itertools, json, re, struct, sys
VISIT, differences, unhex = 10**9, [], bytes.fromhex
class CannotRun(Exception): pass
def holds(name, truth, detail): return truth or differences.append((name, detail))
def same(name, recorded, found): holds(name, recorded == found, f"recorded {recorded!r}, recomputed {found!r}")
HEAD = "format edition plan_id plan_digest assurance previous?"  # members of each edition; `?`: may be absent
AUDITOR = HEAD + " plan contributions seed rounding_v? drawn explore_drawn pool_secret sample_digest"
MEMBERS = {"auditor": AUDITOR, "internal": AUDITOR + " strata_meaning excluded_reasons replacements?",
           "public": HEAD + " pool_root commitments selected contributions? seed?"}
PLAN = """format nonce number extends? title hash method rounding pool_digest pool_root pool_size strata? exploration_n
          excluded filter items period group? contributions frame_digest policy_digest model_digest public_seed"""
def check_members(path, there, members):
    for name in members.split(): holds(path + name, name[-1] == "?" or name in there, "missing")
    for name in there: holds(path + name, name in members.replace("?", "").split(), "unknown")
def canonical(value):  # RFC 8785, where numbers are whole
    def ordered(v):
        if isinstance(v, dict): return {k: ordered(v[k]) for k in sorted(v, key=lambda k: k.encode("utf-16-be"))}
        return [ordered(x) for x in v] if isinstance(v, list) else v
    return json.dumps(ordered(value), ensure_ascii=False, separators=(",", ":")).encode()
def hash_function(name):
    if name == "sm3" and name not in hashlib.algorithms_available: raise CannotRun("no sm3 here: use a newer Python")
    return lambda *parts: hashlib.new(name, b"".join(parts)).digest()
# Section 1: pool and its root
def read_pool(data):
    pool = []
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            id_, key, size = line.split(b"\t")
            good = ((not pool or pool[-1][0] < id_) and 0 < len(id_) <= 64 and re.fullmatch(b"[1-9][0-9]*", size)
                    and int(size) < 2**32 and re.fullmatch(rb"(?!(ALL|EXPLORE)\Z)[A-Za-z0-9._/-]{1,64}", key)
                    and all(c > " " and not "\x7f" <= c <= "\x9f" and not c.isspace() for c in id_.decode()))
        except ValueError: good = False
        if not good: return holds(f"pool:line {number}", 0, f"not `id TAB stratum TAB size` by id: {line[:90]!r}")
        pool.append((id_, key.decode(), int(size)))
    return holds("pool", pool and data.endswith(b"\n"), "empty, or the last line is not finished") and pool
def pool_root(H, secret, pool):  # a last node without neighbour rises a level: this is the tree of RFC 6962
    level = [H(b"\0", i, b"\0", H(H(secret, i), f"{key}\t{size}".encode())) for i, key, size in pool]
    while level[1:]: level = [H(b"\1", *p) if p[1] else p[0] for p in itertools.zip_longest(level[::2], level[1::2])]
    return level[0].hex()
def root_of(H, proof):
    here = H(b"\0", proof["id"].encode(), b"\0", unhex(proof["blind"]))
    for side, node in proof["path"]: here = H(b"\1", *{"L": (unhex(node), here), "R": (here, unhex(node))}[side])
    return here.hex()
# Sections 2 and 4: contributions, seed, sub-keys
def check_contributions(H, planned, opened):
    values, committed = {c["name"]: c["value"] for c in opened}, [c for c in planned if c["kind"] == "committed"]
    same("contributions", [c["name"] for c in opened], sorted({c["name"] for c in planned}))
    for c in committed:
        commitment = H(f"risktier-commit/1\n{c['name']}={values.get(c['name'])}\n".encode()).hex()
        same(f"commitment:{c['name']}", c["commitment"], commitment)
    holds("contributions", any(re.fullmatch("[0-9a-f]{64}", values.get(c["name"], "")) for c in committed), "guessable")
def seed_of(H, plan_digest, group, opened):
    lines = [f"group={group}" if group else f"plan={plan_digest}"] + [
        f"{name}={value}" for name, value in sorted((c["name"], c["value"]) for c in opened)]
    return H("".join(line + "\n" for line in ["risktier-seed/1"] + lines).encode()).hex()
def chacha20_words(key):  # zero nonce, 64-bit counter, read as little-endian 64-bit words
    rounds = [(i, 4 + (i + k) % 4, 8 + (i + 2 * k) % 4, 12 + (i + 3 * k) % 4) for k in (0, 1) for i in range(4)] * 10
    for counter in range(2**64):
        s = list(start := struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<QQ", counter, 0)))
        for a, b, c, d in rounds:
            for x, y, z, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                s[x] = (s[x] + s[y]) % 2**32
                s[z] = ((s[z] ^ s[x]) << bits | (s[z] ^ s[x]) >> (32 - bits)) % 2**32
        yield from struct.unpack("<8Q", struct.pack("<16I", *((x + y) % 2**32 for x, y in zip(s, start))))
def below(m, words): return next(word % m for word in words if word < 2**64 // m * m)
# Sections 5 and 6: sizes and selection
def order_of(method, left, n, ticket):
    by_ticket, certain, top = (lambda o: (ticket(o), o[0])), [], method == "pareto"
    while top:
        total = sum(o[2] for o in left)
        top, left = [o for o in left if n * o[2] >= total], [o for o in left if n * o[2] < total]
        certain, n = certain + top, n - len(top)
    def pareto(o):  # Python rounds the quotient of two whole numbers correctly
        rate, u = n * o[2] / total, ((int.from_bytes(ticket(o)[:8], "big") >> 12) + 0.5) / 2**52
        return (u * (1 - rate)) / (rate * (1 - u)), ticket(o), o[0]
    return sorted(certain, key=by_ticket) + sorted(left, key=pareto if method == "pareto" and n else by_ticket)
def draw(H, plan, plan_digest, seed, pool):
    def tickets(seed): return lambda o: H(seed.encode(), b",", o[0])
    def sub_key(purpose): return H(f"risktier-subkey/1\n{seed}\n{purpose}\n{plan_digest}\n".encode())
    if plan["method"] == "order":
        return None, [], 0, [(o[0], "ALL", i) for i, o in enumerate(order_of("order", pool, 0, tickets(seed)), 1)]
    v = below(VISIT, chacha20_words(sub_key("rounding"))) if plan["rounding"] == "systematic" else None
    reached, drawn, lines, strata = v or 0, [], [], collections.defaultdict(list)
    for o in pool: strata[o[1]].append(o)
    same("strata", [(s["key"], s["pool"]) for s in plan["strata"]], [(k, len(strata[k])) for k in sorted(strata)])
    for key, target in ((s["key"], s["target_ppb"]) for s in plan["strata"]):
        whole = target % VISIT == 0 or (v is not None and plan["method"] == "equal")
        holds(f"plan.strata:{key}", whole and 0 <= target <= len(strata[key]) * VISIT, "not a target of it")
        n, reached = (reached + target) // VISIT - reached // VISIT, reached + target
        drawn.append({"key": key, "n": n})
        lines += [(o[0], key, i) for i, o in enumerate(order_of(plan["method"], strata[key], n, tickets(seed))[:n], 1)]
    taken, count = {line[0] for line in lines}, plan["exploration_n"]
    explored = order_of("equal", pool, 0, tickets(sub_key("exploration").hex()))[:count] if count else []
    explored = [o[0] for o in explored if o[0] not in taken]
    lines += [(id_, "EXPLORE", i) for i, id_ in enumerate(explored, 1)]
    return v, drawn, len(explored), sorted(lines, key=lambda line: line[1:])
# Section 8: the editions
def replay(H, t, plan, pool_bytes, sample):
    plan_digest, pool = H(canonical(plan)).hex(), read_pool(pool_bytes)
    seed = seed_of(H, plan_digest, plan.get("group"), t["contributions"])
    check_members("plan.", plan, PLAN)
    check_contributions(H, plan["contributions"], t["contributions"])
    for name, found in (("plan_digest", plan_digest), ("seed", seed)): same(name, t[name], found)
    same("pool_digest", plan["pool_digest"], H(pool_bytes).hex())
    if not pool: return
    same("pool_size", plan["pool_size"], len(pool))
    same("pool_root", plan["pool_root"], pool_root(H, unhex(t["pool_secret"]), pool))
    v, drawn, explored, lines = draw(H, plan, plan_digest, seed, pool)
    for name, new in (("rounding_v", v), ("drawn", drawn), ("explore_drawn", explored)): same(name, t.get(name), new)
    lines = [b"%b\t%b\t%d\n" % (id_, key.encode(), order) for id_, key, order in lines]
    same("sample_digest", t["sample_digest"], H(b"".join(lines)).hex())
    pairs = itertools.zip_longest(lines if sample is None else sample.splitlines(True), lines)
    for number, (given, found) in enumerate(pairs, 1): same(f"sample:line {number}", given, found)
def check_public(t, group):  # this edition does not name its hash: the one under which a proof holds
    hashes = [hash_function(name) for name in ("sha256", "sm3") if name in hashlib.algorithms_available]
    H = next((H for H in hashes if any(root_of(H, proof) == t["pool_root"] for proof in t["selected"])), hashes[0])
    for proof in t["selected"]: same(f"proof:{proof['id']}", t["pool_root"], root_of(H, proof))
    same("selected", [proof["id"] for proof in t["selected"]], sorted({proof["id"] for proof in t["selected"]}))
    if "seed" not in t and "contributions" not in t: return
    check_contributions(H, t["commitments"], t["contributions"])
    same("seed", t["seed"], seed_of(H, t["plan_digest"], group, t["contributions"]))
def verify(data, pool, sample, group):
    t = json.loads(data)
    if re.fullmatch("risktier-transcript/([2-9]|[1-9][0-9]+)", str(t["format"])): raise CannotRun("format is too new")
    same("format", t["format"], "risktier-transcript/1")
    same("canonical", data, canonical(t))
    check_members("", t, MEMBERS[t["edition"]])
    kinds = [c["kind"] for c in (t["commitments"] if t["edition"] == "public" else t["plan"]["contributions"])]
    same("assurance", t["assurance"], "committed" in kinds and ("public" if "public" in kinds else "operator"))
    if t["edition"] == "public": return check_public(t, group)
    if pool is None: raise CannotRun("this edition needs the pool file: give --pool")
    replay(hash_function(t["plan"]["hash"]), t, t["plan"], pool, sample)
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("transcript", "pool", "sample", "group"): parser.add_argument("--" + name, required=name[0] == "t")
    try:
        args = parser.parse_args()
        data, *files = (p and open(p, "rb").read() for p in (args.transcript, args.pool, args.sample))
        try: verify(data, *files, args.group)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            holds("transcript", False, f"does not read as one: {type(error).__name__} {error}")
    except (CannotRun, OSError) as error: sys.exit(print(f"cannot verify: {error}", file=sys.stderr) or 2)
    for name, detail in differences: print(f"{name}: {detail[:300]}")
    sys.exit(print(f"{len(differences)} differences; sha256: {hashlib.sha256(data).hexdigest()}") or bool(differences))
