"""Tests the contract from outside: one server, and the tools of those who build on it.

Each step says what it did; the first that fails ends the run with its output. Steps are named on the command line, or all
of them run.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "contract"
DOCUMENT = ROOT / "openapi" / "risktier.v1.json"
RELEASED = ROOT / "openapi" / "released" / "risktier.v1.json"
ENTERPRISE = "91990000MA00000017"


class Failed(Exception):
    """A step did not succeed."""


class Server:
    """A server on a free port over a store of its own."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.log = open(folder / "server.log", "w+")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RISKTIER_")}
        environment["RISKTIER_WEBHOOKS_ALLOW_LOOPBACK"] = "true"
        self.process = subprocess.Popen(
            [os.environ["RISKTIER_BIN"], "serve", "--listen", f"127.0.0.1:{port}", "--store", str(folder / "contract.db")],
            stderr=self.log, stdout=self.log, env=environment)
        for _ in range(300):
            try:
                self.get("/readyz")
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        raise Failed("the server did not start: " + self.output())

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

    def output(self):
        self.log.seek(0)
        return self.log.read()[-4000:]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()


def run(command, cwd=None, timeout=600, env=None):
    """Runs a command; its output is shown only where it fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, timeout=timeout, env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise Failed(f"{' '.join(str(part) for part in command[:6])} … ended with {done.returncode}:\n{done.stdout[-20000:]}")
    return done.stdout


def seed(server):
    """A register to be asked: a few enterprises, records, a frame, plans in several states."""
    rows = ["enterprise_id,name,division,industry,size,status"]
    rows += [f"E{n:04},Enterprise {n},{['990102', '990103', '990201'][n % 3]},F5212,small,active" for n in range(60)]
    rows.append(f"{ENTERPRISE},Example Foods Ltd,990102,C1411,small,active")
    server.request("POST", "/v1/enterprises/import", "\n".join(rows).encode(), {"content-type": "text/csv"})
    records = [{"source": "penalties", "record_id": f"P-2026-{n:04}", "enterprise_id": ENTERPRISE if n == 42 else f"E{n:04}",
                "kind": "penalty", "occurred_on": "2026-06-01", "severity": "serious", "amount_cny": 200000.0}
               for n in (1, 2, 3, 42)]
    server.request("POST", "/v1/records", {"records": records})
    frame = server.request("POST", "/v1/frames", {})["frame_id"]
    period = {"from": "2026-12-01", "to": "2026-12-31"}
    for draw in ({}, {"draw": "now"}):
        server.request("POST", "/v1/plans", {"frame_id": frame, "title": "contract", "period": period, "visits": 5, **draw})
    server.request("POST", "/v1/webhooks", {"url": "http://127.0.0.1:9/hooks"})


def lint(tools, folder, server):
    node = tools / "node"
    spectral = json.loads(run([node / "node_modules/.bin/spectral", "lint", "-r", HERE / "spectral.yaml", "-f", "json",
                               "--fail-severity", "error", DOCUMENT]) or "[]")
    redocly = run([node / "node_modules/.bin/redocly", "lint", "--extends", "recommended", "--format", "json", DOCUMENT],
                  env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"})
    run([tools / "venv/bin/python", "-m", "openapi_spec_validator", DOCUMENT])
    warnings = re.search(r'"warnings": (\d+)', redocly)
    return f"Spectral 0 errors, {len(spectral)} warnings; Redocly 0 errors, {warnings[1] if warnings else '?'} warnings"


def python_client(tools, folder, server):
    target = folder / "python"
    output = run([tools / "venv/bin/openapi-python-client", "generate", "--path", DOCUMENT, "--output-path", target,
                  "--config", HERE / "python_client.yaml", "--overwrite"])
    if "WARNING" in output or "Unable" in output:
        raise Failed("the Python client is not whole:\n" + output)
    run([tools / "venv/bin/python", "-m", "compileall", "-q", target / "risktier_client"])
    used = run([tools / "venv/bin/python", HERE / "use_client.py", server.base],
               env={**os.environ, "PYTHONPATH": str(target)})
    return used.strip()


def typescript_client(tools, folder, server):
    node, target = tools / "node", tools / "node" / "client"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    run([node / "node_modules/.bin/openapi-typescript", DOCUMENT, "-o", target / "contract.d.ts"])
    shutil.copy(HERE / "use_client.ts", target)
    run([node / "node_modules/.bin/tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--moduleResolution",
         "nodenext", "--types", "node", "--outDir", target / "built", target / "use_client.ts"], cwd=target)
    return run(["node", target / "built" / "use_client.js", server.base]).strip()


def breaking(tools, folder, server):
    return run([tools / "venv/bin/python", HERE / "breaking.py", RELEASED, DOCUMENT, HERE / "accepted.txt"]).strip()


def cookbook(tools, folder, server):
    text = (ROOT / "README.md").read_text()
    section = text.split("\n## A curl cookbook\n", 1)[1].split("\n## ", 1)[0]
    recipes = re.findall(r"```sh\n(.*?)```", section, re.S)
    script = "set -euo pipefail\n" + f"API={server.base}/v1\n" + "\n".join(
        recipe.replace("API=http://127.0.0.1:8080/v1\n", "") for recipe in recipes)
    place = folder / "cookbook"
    place.mkdir()
    (place / "cookbook.sh").write_text(script)
    run(["bash", "cookbook.sh"], cwd=place, timeout=120)
    return f"{len(recipes)} recipes"


def schemathesis(tools, folder, server):
    report = folder / "schemathesis"
    output = run([tools / "venv/bin/schemathesis", "--config-file", HERE / "schemathesis.toml", "run", DOCUMENT,
                  "--url", server.base, "--checks", "all", "--max-examples", "4", "--seed", "20261122", "--workers", "2",
                  "--phases", "examples,coverage,fuzzing", "--report-ndjson-path", report / "events.ndjson",
                  "--no-color"], cwd=folder, timeout=900)
    summary = [line.strip() for line in output.splitlines() if "cases" in line or "generated" in line]
    return "; ".join(summary[-3:])


STEPS = [breaking, lint, python_client, typescript_client, cookbook, schemathesis]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", type=pathlib.Path, required=True)
    parser.add_argument("steps", nargs="*", help="which steps; default: all")
    arguments = parser.parse_args()
    wanted = [step for step in STEPS if not arguments.steps or step.__name__ in arguments.steps]
    with tempfile.TemporaryDirectory(prefix="risktier-contract-") as temporary:
        folder = pathlib.Path(temporary)
        server = Server(folder)
        try:
            seed(server)
            for step in wanted:
                started = time.monotonic()
                said = step(arguments.tools, folder, server)
                print(f"ok  {step.__name__:18} {time.monotonic() - started:6.1f} s  {said}", flush=True)
            if server.process.poll() is not None:
                raise Failed("the server ended: " + server.output())
            # Whatever was sent, nothing in it made the server panic.
            if "panicked" in server.output():
                raise Failed("the server panicked: " + server.output())
            if server.stop() != 0:
                raise Failed("the server did not stop as it should: " + server.output())
        except Failed as failed:
            print(f"FAILED: {failed}", file=sys.stderr)
            return 1
        finally:
            server.process.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
