#!/usr/bin/env python3
"""Reads entries of Lockstep's cache by docs/read-protocol.md, with nothing but Python's standard library.

`Reader.get(resource, key)` answers a row with its version, or None where there is no such row.
As a program it answers the lines of conformance/README.md, by which the kit judges it.
"""
import json, os, re, socket, sys, time
from http.client import HTTPException
from urllib import parse, request


class Unavailable(Exception):
    """Neither the cache nor a coordinator answered."""


class Cache:
    """One connection to Redis. Any fault closes it: what had no answer is never sent again (RP7)."""

    def __init__(self, url):
        self.url, self.file, self.sock, self.retry_at = parse.urlsplit(url), None, None, 0.0

    def read(self, cache_key, cache_id):
        """The entry's bytes, or None: nothing there, or not to be read."""
        if cache_id is None or (self.file is None and time.monotonic() < self.retry_at):
            return None
        try:
            if self.file is None:
                self.connect(cache_id)
            return self.ask("GETEX", cache_key)  # a replica refuses GETEX, and goes on answering GET (RP1)
        except ValueError:
            return None  # this key holds something else than a string
        except OSError:
            self.close()
            return None

    def connect(self, cache_id):
        self.sock = socket.create_connection((self.url.hostname, self.url.port or 6379), timeout=0.25)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")
        if self.url.password:
            self.ask("AUTH", *(parse.unquote(part) for part in (self.url.username, self.url.password) if part))
        if self.url.path.strip("/"):
            self.ask("SELECT", self.url.path.strip("/"))
        if self.ask("GETEX", "lockstep:server") != cache_id.encode():
            raise OSError("not the coordinators' cache")

    def ask(self, *words):
        parts = [word.encode() for word in words]
        command = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self.sock.sendall(command)
        line = self.file.readline()
        if line.startswith(b"-WRONGTYPE"):
            raise ValueError(line)
        if line.startswith(b"+"):
            return line[1:-2]
        if not line.startswith(b"$") or not line.endswith(b"\r\n"):
            raise OSError(line)
        length = int(line[1:])
        if length < 0:
            return None
        reply = self.file.read(length + 2)
        if len(reply) < length + 2:
            raise OSError("the connection ended")
        return reply[:-2]

    def close(self):
        if self.sock is not None:
            self.sock.close()
        self.file = self.sock = None
        self.retry_at = time.monotonic() + 0.1


WHOLE = re.compile(r"(0|-?[1-9][0-9]{0,29})")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def part_text(rule, part):
    """The text of a key's part by its rule; None: only the coordinator knows it (RP2)."""
    if rule == "boolean":
        return str(part).lower() if isinstance(part, bool) else None
    if isinstance(part, bool) or not isinstance(part, (str, int)):
        return None
    text = str(part)
    if rule == "uuid":
        return text.lower() if UUID.fullmatch(text.lower()) else None
    if rule == "whole":
        return text if WHOLE.fullmatch(text) else None
    return text if rule == "text" and not re.search("[\ud800-\udfff]", text) else None


def cache_key_of(resource, key):
    """The key of the entry in Redis; None: ask the coordinator (RP2)."""
    texts = {part["name"]: part_text(part["text"], value) for part, value in zip(resource["key"], key)}
    pieces = re.split(r'(\{"(?:[^"]|"")+"\}|\{[^{}]*\})', resource["cacheKey"])
    names = [name[2:-2].replace('""', '"') if name[1] == '"' else name[1:-1] for name in pieces[1::2]]
    if len(key) != len(resource["key"]) or None in texts.values() or set(names) - set(texts):
        return None
    between = "".join(pieces[2:-1:2])
    escaped = {"%", ":"} | {char for char in between if not re.match("[A-Za-z0-9]", char)}
    escape = lambda char: "".join("%%%02X" % byte for byte in char.encode()) if char in escaped else char
    pieces[1::2] = ["".join(map(escape, texts[name])) for name in names]
    return "".join(pieces)


class Number(str):
    """The digits of a JSON number, which Python's own numbers would change."""


def refuse(constant):
    raise ValueError(constant)  # NaN and Infinity are no JSON


def parsed(text):
    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse)


def text_of(value):
    """JSON of what `parsed` answered."""
    if isinstance(value, dict):
        return "{%s}" % ",".join(f"{json.dumps(name)}:{text_of(member)}" for name, member in value.items())
    if isinstance(value, list):
        return "[%s]" % ",".join(map(text_of, value))
    return value if isinstance(value, Number) else json.dumps(value)


def value_in(entry, resource):
    """(row, version, owner) of a value; None: it is none, or no entry at all (RP3, RP6)."""
    try:
        header, body = entry.decode().split("\n", 1)
        fields, row = json.loads(header), parsed(body)
        version = fields["v"]
        if fields["s"] != "value" or type(version) is not int or not 0 <= version < 2**53 - 2**20:
            return None
        if resource["kind"] == "query":
            return (row["rows"], None, fields.get("o")) if isinstance(row["rows"], list) else None
        return (row, version, fields.get("o")) if row is None or isinstance(row, dict) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


class Reader:
    def __init__(self, url, token, redis, refresh_s=5.0):
        self.url, self.refresh_s, self.asked_at = url, refresh_s, float("-inf")
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.cache, self.cache_id, self.resources = Cache(redis), None, {}

    def get(self, resource, key):
        """(row, version), or None where there is no such row. Nothing is kept from one call to the next (RP9)."""
        self.refresh(self.refresh_s)
        known = self.resources.get(resource)
        cache_key = cache_key_of(known, key) if known is not None and known["isReadable"] else None
        entry = None if cache_key is None else self.cache.read(cache_key, self.cache_id)
        found = None if entry is None else value_in(entry, known)
        if found is None:
            return self.ask_coordinator(resource, key)
        row, version, owner = found
        if owner != known["owner"]:  # (RP5)
            self.refresh(0.5)
            return self.ask_coordinator(resource, key)
        return None if row is None else (row, version)  # (RP4)

    def refresh(self, at_most_every_s):
        """Asks for the resources again; what is known stays where no coordinator answers (RP10)."""
        if time.monotonic() - self.asked_at < at_most_every_s:
            return
        self.asked_at = time.monotonic()
        try:
            catalog = self.call("/v1/resources")
        except Unavailable:
            return
        if catalog["cacheId"] != self.cache_id:
            self.cache.close()
        self.cache_id = catalog["cacheId"]
        self.resources = {resource["name"]: resource for resource in catalog["resources"]}

    def ask_coordinator(self, resource, key):
        operation = {"op": "get", "resource": resource, "key": key}
        try:
            answer = self.call("/v1/batch", json.dumps({"operations": [operation]}).encode())["results"][0]
        except (KeyError, IndexError, TypeError):
            raise Unavailable("COORDINATOR_UNAVAILABLE") from None
        if answer.get("code") == "NOT_FOUND":
            return None
        if "value" not in answer:
            raise Unavailable(answer.get("code", "COORDINATOR_UNAVAILABLE"))
        version = answer.get("version")
        return answer["value"], None if version is None else int(version)

    def call(self, path, body=None):
        try:
            with request.urlopen(request.Request(self.url + path, body, self.headers), timeout=10) as reply:
                return parsed(reply.read().decode())
        except (OSError, ValueError, HTTPException) as fault:
            raise Unavailable("COORDINATOR_UNAVAILABLE") from fault


def main():
    env = os.environ
    refresh_s = float(env.get("READER_REFRESH_MS", "5000")) / 1000
    reader = Reader(env["READER_URL"], env["READER_TOKEN"], env["READER_REDIS"], refresh_s)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = {"id": asked["id"]}
        if asked["op"] == "hello":
            answer.update(name="python-reader", has=[])
        else:
            try:
                found = reader.get(asked["resource"], asked["key"])
                answer.update({"absent": True} if found is None else {"value": found[0], "version": found[1]})
            except Unavailable as fault:
                answer["error"] = str(fault)
        print(text_of(answer), flush=True)


if __name__ == "__main__":
    main()
