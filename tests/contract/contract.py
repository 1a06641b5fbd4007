"""Tests the contract from outside: one server, and the tools of those who build on it.

Each step says what it does, how long it may take, and what it found; the first that fails ends the run with its output.
Steps are named on the command line, or all of them run. Whatever the tools print is kept under TOOLS/logs.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from server import Failed, Server, seed, with_ids

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "contract"
DOCUMENT = ROOT / "openapi" / "risktier.v1.json"
RELEASED = ROOT / "openapi" / "released" / "risktier.v1.json"
# How often a step that is long says that it is alive.
SIGN_OF_LIFE_SECONDS = 20
# Cases that schemathesis draws for each operation beside those that follow from its examples and schemas, and from what.
EXAMPLES = int(os.environ.get("RISKTIER_CONTRACT_EXAMPLES", "4"))
SEED = os.environ.get("RISKTIER_CONTRACT_SEED", "20261122")


class Run:
    """What the steps share: the tools, the server, a folder, and the time that the step of the moment has left."""

    def __init__(self, tools, folder, server, document):
        self.tools, self.folder, self.server, self.document = tools, folder, server, document
        self.python = tools / "venv" / "bin"
        self.node = tools / "node" / "node_modules" / ".bin"
        self.logs = tools / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)

    def begin(self, name, seconds):
        self.name, self.seconds = name, seconds
        self.started = time.monotonic()
        self.calls = 0

    def elapsed(self):
        return time.monotonic() - self.started

    def __call__(self, command, cwd=None, env=None):
        """Runs a command within the time of the step; its output is shown only where it fails."""
        self.calls += 1
        words = [str(part) for part in command]
        log = self.logs / f"{self.name}-{self.calls}.log"
        with open(log, "wb") as output:
            # A group of its own, so that what the tool has started ends with it.
            process = subprocess.Popen(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        try:
            while True:
                left = self.seconds - self.elapsed()
                if left <= 0:
                    raise Failed(f"{' '.join(words[:6])} … did not end within the {self.seconds} s of the step:\n{tail(log)}")
                try:
                    status = process.wait(min(SIGN_OF_LIFE_SECONDS, left))
                    break
                except subprocess.TimeoutExpired:
                    print(f"    … {self.name} for {self.elapsed():.0f} s", flush=True)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if status != 0:
            raise Failed(f"{' '.join(words[:6])} … ended with {status}:\n{tail(log)}")
        return log.read_text(errors="replace")


def tail(log):
    return log.read_text(errors="replace")[-20_000:]


def json_in(text):
    """The JSON that a tool printed, among other lines."""
    start = min((place for place in (text.find("["), text.find("{")) if place >= 0), default=-1)
    if start < 0:
        raise Failed(f"no JSON in what the tool printed:\n{text[-2000:]}")
    return json.JSONDecoder().raw_decode(text[start:])[0]


def breaking(run):
    return run([run.python / "python", HERE / "breaking.py", RELEASED, DOCUMENT, HERE / "accepted.txt"]).strip()


def spectral(run):
    found = json_in(run([run.node / "spectral", "lint", "-r", HERE / "spectral.yaml", "-f", "json", "--fail-severity",
                         "error", DOCUMENT]))
    return f"0 errors, {len(found)} warnings"


def redocly(run):
    found = json_in(run([run.node / "redocly", "lint", "--extends", "recommended", "--format", "json", DOCUMENT],
                        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}))
    totals = found["totals"]
    if totals["errors"]:
        raise Failed(json.dumps(found["problems"], indent=1)[:20_000])
    return f"0 errors, {totals['warnings']} warnings"


def validator(run):
    run([run.python / "python", "-m", "openapi_spec_validator", DOCUMENT])
    return "a valid OpenAPI 3.1 document"


def python_client(run):
    target = run.folder / "python"
    # Without formatters the client is generated as it is.
    output = run([run.python / "openapi-python-client", "generate", "--path", DOCUMENT, "--output-path", target,
                  "--config", HERE / "python_client.yaml", "--overwrite"])
    if "WARNING" in output or "Unable" in output:
        raise Failed("the Python client is not whole:\n" + output)
    run([run.python / "python", "-m", "compileall", "-q", target / "risktier_client"])
    return run([run.python / "python", HERE / "use_client.py", run.server.base],
               env={**os.environ, "PYTHONPATH": str(target)}).strip()


def typescript_client(run):
    target = run.tools / "node" / "client"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    run([run.node / "openapi-typescript", DOCUMENT, "-o", target / "contract.d.ts"])
    shutil.copy(HERE / "use_client.ts", target)
    run([run.node / "tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--moduleResolution",
         "nodenext", "--types", "node", "--outDir", target / "built", target / "use_client.ts"], cwd=target)
    return run(["node", target / "built" / "use_client.js", run.server.base]).strip()


def cookbook(run):
    text = (ROOT / "README.md").read_text()
    section = text.split("\n## A curl cookbook\n", 1)[1].split("\n## ", 1)[0]
    recipes = re.findall(r"```sh\n(.*?)```", section, re.S)
    if not recipes:
        raise Failed("the cookbook of the README holds no recipe")
    script = "set -euo pipefail\n" + f"API={run.server.base}/v1\n" + "\n".join(
        recipe.replace("API=http://127.0.0.1:8080/v1\n", "") for recipe in recipes)
    place = run.folder / "cookbook"
    place.mkdir()
    (place / "cookbook.sh").write_text(script)
    run(["bash", "-x", "cookbook.sh"], cwd=place)
    return f"{len(recipes)} recipes"


def schemathesis(run):
    document = run.folder / "document.json"
    document.write_text(json.dumps(with_ids(run.document, run.ids)))
    # One worker: cases come in the same order every time, and two of them have met a race inside CPython 3.11.
    output = run([run.python / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run", document,
                  "--url", run.server.base, "--checks", "all", "--max-examples", str(EXAMPLES), "--seed", SEED,
                  "--workers", "1", "--phases", "examples,coverage,fuzzing", "--warnings", "off", "--no-color",
                  "--report-ndjson-path", run.logs / "schemathesis-events.ndjson"],
                 cwd=run.folder, env={**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py")})
    tested = re.search(r"Tested: (\d+)", output)
    operations = sum(1 for item in run.document["paths"].values() for method in item if method != "parameters")
    if not tested or int(tested[1]) != operations:
        raise Failed(f"not all of {operations} operations were tested:\n{output[-4000:]}")
    cases = re.search(r"(\d+) generated", output)
    return f"{operations} operations, {cases[1] if cases else '?'} cases, seed {SEED}"


# The steps with the seconds that each may take.
STEPS = [
    (breaking, 30),
    (validator, 60),
    (spectral, 120),
    (redocly, 120),
    (python_client, 120),
    (typescript_client, 150),
    (cookbook, 60),
    (schemathesis, 400 + 40 * EXAMPLES),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", type=pathlib.Path, required=True)
    parser.add_argument("steps", nargs="*", help="which steps: " + ", ".join(step.__name__ for step, _ in STEPS))
    arguments = parser.parse_args()
    unknown = set(arguments.steps) - {step.__name__ for step, _ in STEPS}
    if unknown:
        parser.error(f"no step is called {', '.join(sorted(unknown))}")
    wanted = [(step, seconds) for step, seconds in STEPS if not arguments.steps or step.__name__ in arguments.steps]
    document = json.loads(DOCUMENT.read_text())
    # Whoever ends this run ends its server and its folder too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="risktier-contract-") as temporary:
        folder = pathlib.Path(temporary)
        server = None
        try:
            server = Server(folder)
            run = Run(arguments.tools, folder, server, document)
            run.ids = seed(server, document)
            for step, seconds in wanted:
                run.begin(step.__name__, seconds)
                print(f"    {step.__name__}: at most {seconds} s", flush=True)
                said = step(run)
                server.check()
                print(f"ok  {step.__name__:18} {run.elapsed():6.1f} s  {said}", flush=True)
            server.stop()
        except Failed as failed:
            print(f"FAILED: {failed}", file=sys.stderr, flush=True)
            return 1
        finally:
            if server is not None:
                server.kill()
    print(f"{len(wanted)} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
