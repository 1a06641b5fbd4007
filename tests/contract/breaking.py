"""Finds what a contract takes away from those who build on an earlier one.

Usage: breaking.py EARLIER PRESENT ACCEPTED

A change breaks a client when something it may send is no longer taken, or something it may rely on no longer comes:
operations, parameters, media types, statuses, members of answers that are removed; parameters or members of requests that
become required; types that change; words of closed vocabularies that are removed from requests or added to answers.

Each finding is one line. A change that is meant is accepted by putting its line, with the reason behind `#`, into ACCEPTED;
lines there that no longer apply are told, so that the list stays short. At a release the present contract becomes the
released one, and the list is emptied.
"""

import json
import sys

METHODS = ("get", "put", "post", "delete", "patch")


class Contract:
    def __init__(self, path):
        with open(path) as file:
            self.document = json.load(file)

    def follow(self, value):
        while isinstance(value, dict) and "$ref" in value:
            target = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            value = target
        return value

    def operations(self):
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield f"{method.upper()} {path}", item[method]


def types(schema):
    given = schema.get("type")
    return set(given) if isinstance(given, list) else {given} if given else set()


class Comparison:
    def __init__(self, before, after):
        self.before, self.after, self.found = before, after, []

    def note(self, place, what):
        self.found.append(f"{place}: {what}")

    def all(self):
        after = dict(self.after.operations())
        for name, operation in self.before.operations():
            if name in after:
                self.operation(name, operation, after[name])
            else:
                self.note(name, "is removed")
        after = self.after.document.get("webhooks", {})
        for name, item in self.before.document.get("webhooks", {}).items():
            if name not in after:
                self.note(f"webhook {name}", "is removed")
                continue
            # What is delivered is given to clients, as answers are.
            old, new = (value["post"]["requestBody"]["content"]["application/json"]["schema"] for value in (item, after[name]))
            self.schema(f"webhook {name}", old, new, False, ())
        return sorted(set(self.found))

    def operation(self, name, before, after):
        if before.get("operationId") != after.get("operationId"):
            self.note(name, f"operationId `{before.get('operationId')}` is now `{after.get('operationId')}`")
        parameters = lambda contract, of: {
            (p["in"], p["name"].lower()): p for p in map(contract.follow, of.get("parameters", []))}
        old, new = parameters(self.before, before), parameters(self.after, after)
        for key, parameter in old.items():
            place = f"{name} {key[0]} `{key[1]}`"
            if key not in new:
                self.note(place, "is removed")
            else:
                self.schema(place, parameter.get("schema", {}), new[key].get("schema", {}), True, ())
        for key, parameter in new.items():
            if parameter.get("required") and not old.get(key, {}).get("required"):
                self.note(f"{name} {key[0]} `{key[1]}`", "is required")
        self.body(name, before, after)
        self.answers(name, before, after)

    def body(self, name, before, after):
        old = self.before.follow(before.get("requestBody") or {})
        new = self.after.follow(after.get("requestBody") or {})
        if new.get("required") and not old.get("required"):
            self.note(f"{name} body", "is required")
        for media_type, content in old.get("content", {}).items():
            if media_type not in new.get("content", {}):
                self.note(f"{name} body", f"is no longer taken as {media_type}")
            else:
                self.schema(f"{name} body", content.get("schema", {}), new["content"][media_type].get("schema", {}), True, ())

    def answers(self, name, before, after):
        for status, answer in before.get("responses", {}).items():
            if not status.startswith("2"):
                continue
            if status not in after.get("responses", {}):
                self.note(f"{name} {status}", "is removed")
                continue
            old, new = self.before.follow(answer), self.after.follow(after["responses"][status])
            for header in old.get("headers", {}):
                if header not in new.get("headers", {}):
                    self.note(f"{name} {status}", f"header `{header}` is removed")
            for media_type, content in old.get("content", {}).items():
                if media_type not in new.get("content", {}):
                    self.note(f"{name} {status}", f"no longer comes as {media_type}")
                else:
                    schema = new["content"][media_type].get("schema", {})
                    self.schema(f"{name} {status}", content.get("schema", {}), schema, False, ())

    def schema(self, place, old, new, is_sent, seen):
        """Compares two schemas; `is_sent` tells what clients send from what they are given."""
        mark = (old.get("$ref"), new.get("$ref"))
        if mark in seen and mark != (None, None):
            return
        seen += (mark,)
        old, new = self.before.follow(old), self.after.follow(new)
        if types(old) and types(new) and types(old) != types(new):
            widened = is_sent and types(old) < types(new)
            if not widened and not (is_sent and types(old) == {"integer"} and "number" in types(new)):
                self.note(place, f"is {'/'.join(sorted(types(new)))}, was {'/'.join(sorted(types(old)))}")
        if "enum" in old or "enum" in new:
            was, now = set(old.get("enum", ())), set(new.get("enum", ()))
            gone = was - now if "enum" in new and (is_sent or not old.get("enum")) else set()
            for word in sorted(map(str, gone)):
                self.note(place, f"no longer takes `{word}`")
            if not is_sent and old.get("x-closed-enum", False):
                for word in sorted(map(str, now - was)):
                    self.note(place, f"may be `{word}`, which a closed vocabulary had not")
        members, now = old.get("properties", {}), new.get("properties", {})
        for member, schema in members.items():
            if member in now:
                self.schema(f"{place}/{member}", schema, now[member], is_sent, seen)
            elif now or not new.get("additionalProperties", True):
                self.note(f"{place}/{member}", "is removed")
        required, needed = set(old.get("required", ())), set(new.get("required", ()))
        if is_sent:
            for member in sorted(needed - required):
                self.note(f"{place}/{member}", "is required")
        else:
            for member in sorted((required - needed) & set(now)):
                self.note(f"{place}/{member}", "may be left out")
        if "items" in old and "items" in new:
            self.schema(f"{place}[]", old["items"], new["items"], is_sent, seen)


def main(earlier, present, accepted):
    findings = Comparison(Contract(earlier), Contract(present)).all()
    with open(accepted) as file:
        lines = [line.split("#", 1)[0].strip() for line in file]
    known = {line for line in lines if line}
    broken = [finding for finding in findings if finding not in known]
    for finding in broken:
        print(f"breaks clients: {finding}")
    for line in sorted(known - set(findings)):
        print(f"no longer applies, take it out of the list: {line}")
    if broken or known - set(findings):
        print("accept a change that is meant by putting its line, with a reason behind `#`, into tests/contract/accepted.txt")
        return 1
    print(f"nothing is taken away, apart from {len(known)} accepted changes")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
