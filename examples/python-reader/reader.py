#!/usr/bin/env python3
"""A reader of Lockstep's cache by docs/read-protocol.md, with nothing but Python's standard library.

`Reader(url, token, redis).get(resource, [key, ...])` answers a row with its version, or None where there is no such row.
One thread at a time may use it. Numbers of rows are of the class `Number`, which keeps their digits.
"""
import json, re, socket, time
from http.client import HTTPException
from urllib import parse, request

class Unavailable(Exception):
    """No coordinator answered, or it refused: the message is its code."""

class Cache:
    """One connection to Redis. Any fault closes it, and what had no answer is not sent again (RP7)."""
    def __init__(self, url):
        self.url, self.socket, self.file, self.retry_at = parse.urlsplit(url), None, None, 0.0

    def read(self, cache_key, cache_id):
        """The entry's bytes; None: there is none, or it cannot be read."""
        if cache_id is None or (self.file is None and time.monotonic() < self.retry_at):
            return None
        try:
            if self.file is None:
                self.connect(cache_id)
            return self.ask("GETEX", cache_key)  # RP1: a replica goes on answering GET, and refuses this
        except OSError:
            self.close()
            return None

    def connect(self, cache_id):
        self.socket = socket.create_connection((self.url.hostname, self.url.port or 6379), timeout=0.25)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        if self.url.password:
            self.ask("AUTH", *(parse.unquote(part) for part in (self.url.username, self.url.password) if part))
        if self.url.path.strip("/"):
            self.ask("SELECT", self.url.path.strip("/"))
        if self.ask("GETEX", "lockstep:server") != cache_id.encode():
            raise OSError("This is not the coordinators' cache.")

    def ask(self, *words):
        parts = [word.encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        line = self.file.readline()
        if line.startswith((b"$-1", b"-WRONGTYPE", b"+")):
            return None  # nothing is there, or something else than a string
        reply = self.file.read(int(line[1:]) + 2) if line.startswith(b"$") and line.endswith(b"\r\n") else b""
        if len(reply) < 2 or len(reply) < int(line[1:]) + 2:
            raise OSError(f"The connection ended, or the server refused: {line}")
        return reply[:-2]

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket, self.file, self.retry_at = None, None, time.monotonic() + 0.1

def part_text(rule, part):
    """RP2: the text of a key's part by its rule; None: only the coordinator knows it."""
    if isinstance(part, bool) or not isinstance(part, (str, int)):
        return str(part).lower() if isinstance(part, bool) and rule == "boolean" else None
    text = str(part).lower() if rule == "uuid" else str(part)
    pattern = {"whole": r"0|-?[1-9][0-9]{0,29}", "uuid": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
               "text": "[^\ud800-\udfff]*"}.get(rule)
    return text if pattern is not None and re.fullmatch(pattern, text) else None

def cache_key_of(resource, key):
    """RP2: the entry's key in Redis; None: the coordinator must be asked."""
    texts = {part["name"]: part_text(part["text"], value) for part, value in zip(resource["key"], key)}
    pieces = re.split(r'(\{"(?:[^"]|"")+"\}|\{[^{}]*\})', resource["cacheKey"])
    names = [name[2:-2].replace('""', '"') if name[1] == '"' else name[1:-1] for name in pieces[1::2]]
    if len(key) != len(resource["key"]) or None in texts.values() or not set(names) <= set(texts):
        return None
    escaped = set("%:") | set(re.sub("[A-Za-z0-9]", "", "".join(pieces[2:-1:2])))
    escape = lambda char: "".join("%%%02X" % byte for byte in char.encode()) if char in escaped else char
    pieces[1::2] = ["".join(map(escape, texts[name])) for name in names]
    return "".join(pieces)

class Number(str):
    """A JSON number as it stands: Python's own numbers would change its digits."""

def refuse(constant):
    raise ValueError(constant)  # NaN and Infinity, which Python takes for JSON

def parsed(text):
    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse)

def value_in(entry, kind):
    """RP3, RP6: the row, version and owner of a value; None: it is something else."""
    try:
        header, row = map(parsed, entry.decode().split("\n", 1))
        version, is_query = header["v"], kind == "query"
        if header["s"] != "value" or not isinstance(version, Number) or not 0 <= int(version) < 2**53 - 2**20:
            return None
        row = row["rows"] if is_query else row
        is_right = isinstance(row, list) if is_query else row is None or isinstance(row, dict)
        return (row, None if is_query else int(version), header.get("o")) if is_right else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None

class Reader:
    def __init__(self, url, token, redis, refresh_s=5.0):
        self.url, self.refresh_s, self.asked_at = url, refresh_s, float("-inf")
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.cache, self.cache_id, self.resources = Cache(redis), None, {}

    def get(self, resource, key):
        self.refresh(self.refresh_s)
        known = self.resources.get(resource, {"isReadable": False})
        cache_key = cache_key_of(known, key) if known["isReadable"] else None
        entry = None if cache_key is None else self.cache.read(cache_key, self.cache_id)
        found = None if entry is None else value_in(entry, known["kind"])
        if found is not None and found[2] == known["owner"]:
            return None if found[0] is None else found[:2]  # RP4
        if found is not None:
            self.refresh(0.5)  # RP5: the resource may have another owner by now
        return self.ask_coordinator({"op": "get", "resource": resource, "key": key})

    def refresh(self, pause_s):
        """RP10: asks for the resources again. What is known stays while no coordinator answers."""
        if time.monotonic() - self.asked_at < pause_s:
            return
        self.asked_at = time.monotonic()
        try:
            catalog = self.call("/v1/resources")
            if catalog["cacheId"] != self.cache_id:
                self.cache.close()
            self.cache_id, self.resources = catalog["cacheId"], {each["name"]: each for each in catalog["resources"]}
        except (Unavailable, KeyError, TypeError):
            pass

    def ask_coordinator(self, operation):
        try:
            answer = self.call("/v1/batch", json.dumps({"operations": [operation]}).encode())["results"][0]
            if "value" in answer:
                return answer["value"], None if answer.get("version") is None else int(answer["version"])
        except (KeyError, IndexError, TypeError):
            answer = {}
        if answer.get("code") == "NOT_FOUND":
            return None
        raise Unavailable(answer.get("code", "COORDINATOR_UNAVAILABLE"))

    def call(self, path, body=None):
        try:
            with request.urlopen(request.Request(self.url + path, body, self.headers), timeout=10) as reply:
                return parsed(reply.read().decode())
        except (OSError, ValueError, HTTPException) as fault:
            raise Unavailable("COORDINATOR_UNAVAILABLE") from fault
