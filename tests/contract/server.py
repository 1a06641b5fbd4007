"""One server over a store of its own, with something in it, for the tools of the contract tests."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ENTERPRISE = "91990000MA00000017"
START_SECONDS = 60
STOP_SECONDS = 60


class Failed(Exception):
    """A step did not succeed."""


class Server:
    """A server on a free port; what it logs goes into `folder`."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.log = folder / "server.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RISKTIER_")}
        environment["RISKTIER_WEBHOOKS_ALLOW_LOOPBACK"] = "true"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [os.environ["RISKTIER_BIN"], "serve", "--listen", f"127.0.0.1:{port}",
                 "--store", str(folder / "contract.db")],
                stdin=subprocess.DEVNULL, stderr=log, stdout=log, env=environment)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                self.get("/readyz")
                return
            except OSError:
                time.sleep(0.1)
        self.kill()
        raise Failed(f"the server did not start within {START_SECONDS} s: " + self.output())

    def request(self, method, path, body=None, headers=None):
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method, headers=headers or {})
        if data is not None and not request.has_header("Content-type"):
            request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text[:1] in (b"{", b"[") else text

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body=None):
        try:
            return self.request("POST", path, body)
        except urllib.error.HTTPError as error:
            raise Failed(f"POST {path}: {error.code} {error.read().decode()[:2000]}") from error

    def output(self):
        return self.log.read_text(errors="replace")[-4000:]

    def check(self):
        """Nothing that was sent ended the server, or made it panic."""
        if self.process.poll() is not None:
            raise Failed("the server ended: " + self.output())
        log = self.log.read_text(errors="replace")
        if "panicked" in log:
            raise Failed("the server panicked: " + log[log.index("panicked") - 500:][:4000])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"the server did not stop within {STOP_SECONDS} s: " + self.output()) from error
        if status != 0:
            raise Failed(f"the server ended with {status}: " + self.output())

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def seed(server, document):
    """Fills the register with one of everything, and gives the ids by the beginning of the paths that take them."""
    example = lambda path, method="post": document["paths"][path][method]["requestBody"]["content"]["application/json"]["example"]
    rows = ["enterprise_id,name,division,industry,size,status"]
    rows += [f"E{n:04},Enterprise {n},{['990102', '990103', '990201'][n % 3]},F5212,small,active" for n in range(60)]
    rows.append(f"{ENTERPRISE},Example Foods Ltd,990102,C1411,small,active")
    server.request("POST", "/v1/enterprises/import", "\n".join(rows).encode(), {"content-type": "text/csv"})
    records = [{"source": "penalties", "record_id": f"P-2026-{n:04}", "enterprise_id": ENTERPRISE if n == 42 else f"E{n:04}",
                "kind": "penalty", "occurred_on": "2026-06-01", "severity": "serious", "amount_cny": 200000.0}
               for n in (1, 2, 3, 42)]
    server.post("/v1/records", {"records": records})
    items = example("/v1/items")["items"]
    items += [{"item_code": code, "name": code, "class": "general", "published": True} for code in ("food-hygiene", "fire-exits")]
    server.post("/v1/items", {"items": items})
    frame = server.post("/v1/frames", {})["frame_id"]
    period = {"from": "2026-12-01", "to": "2026-12-31"}
    plan = {"frame_id": frame, "title": "contract", "period": period, "visits": 5}
    server.post("/v1/plans", plan)
    drawn = server.post("/v1/plans", {**plan, "draw": "now"})["plan_id"]
    joint = {**example("/v1/joint-plans"), "frame_id": frame}
    for row in joint["rows"]:
        row.pop("filter", None)
    server.post("/v1/joint-plans", joint)
    group = joint["group_id"]
    ordered = server.post("/v1/plans", {"frame_id": frame, "title": "order", "item_class": "key", "method": "order",
                                        "period": period, "draw": "now"})["plan_id"]
    calendar = server.post("/v1/calendars", {
        "plan_id": ordered, "title": "calendar", "from": "2027-01-01", "batches": "quarter",
        "frequency": "food_production"})["calendar_id"]
    objection = server.post("/v1/records/penalties/P-2026-0042/objections",
                            example("/v1/records/{source}/{record_id}/objections"))["objection_id"]
    visit = server.post("/v1/ledger", example("/v1/ledger"))
    webhook = server.post("/v1/webhooks", {"url": "http://127.0.0.1:9/hooks"})["webhook"]["webhook_id"]
    job = server.post("/v1/models/drift")["job_id"]
    model = server.get("/v1/models")["items"][0]["model_id"]
    imports = server.get("/v1/imports")["items"][0]["import_id"]
    assert visit, "a visit is entered"
    return {
        "/v1/frames/": {"frame_id": frame},
        "/v1/plans/": {"plan_id": drawn},
        "/v1/joint-plans/": {"group_id": group},
        "/v1/plan-groups/": {"group_id": group},
        "/v1/calendars/": {"calendar_id": calendar},
        "/v1/objections/": {"id": objection},
        "/v1/webhooks/": {"webhook_id": webhook},
        "/v1/jobs/": {"job_id": job},
        "/v1/models/": {"model_id": model},
        "/v1/imports/": {"import_id": imports},
        "/v1/ledger/visits/": {"visit_no": 1},
    }


def with_ids(document, ids):
    """The document with examples that name what is there, so that tools that send examples reach what lies behind."""
    document = json.loads(json.dumps(document))
    known = {}
    for path, item in document["paths"].items():
        for beginning, names in ids.items():
            if not path.startswith(beginning):
                continue
            for operation in item.values():
                for parameter in operation.get("parameters", []):
                    if parameter.get("in") == "path" and parameter["name"] in names:
                        known[(beginning, parameter["example"])] = names[parameter["name"]]
                        parameter["example"] = names[parameter["name"]]
    # Frames, plans and models are named in bodies too.
    bodies = {example: real for (beginning, example), real in known.items()
              if beginning in ("/v1/frames/", "/v1/plans/", "/v1/models/")}

    def replace(value):
        if isinstance(value, dict):
            return {name: replace(member) for name, member in value.items()}
        if isinstance(value, list):
            return [replace(member) for member in value]
        return bodies.get(value, value) if isinstance(value, str) else value

    for item in document["paths"].values():
        for operation in item.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                if "example" in content:
                    content["example"] = replace(content["example"])
    document["components"]["schemas"] = replace(document["components"]["schemas"])
    return document
