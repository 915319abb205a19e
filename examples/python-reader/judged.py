#!/usr/bin/env python3
"""Answers the lines of conformance/README.md with the reader beside it, so that the kit can judge it."""
import json
import os
import sys

from reader import Number, Reader, Unavailable


def json_text(value):
    """JSON with the digits of each number as they were."""
    if isinstance(value, dict):
        return "{%s}" % ",".join(f"{json.dumps(name)}:{json_text(member)}" for name, member in value.items())
    if isinstance(value, list):
        return "[%s]" % ",".join(map(json_text, value))
    return str(value) if isinstance(value, Number) else json.dumps(value)


def answer_to(reader, asked):
    if asked["op"] == "hello":
        return {"name": "python-reader", "has": []}
    try:
        found = reader.get(asked["resource"], asked["key"])
    except Unavailable as fault:
        return {"error": str(fault)}
    return {"absent": True} if found is None else {"value": found[0], "version": found[1]}


def main():
    env = os.environ
    refresh_s = float(env["READER_REFRESH_MS"]) / 1000
    reader = Reader(env["READER_URL"], env["READER_TOKEN"], env["READER_REDIS"], refresh_s)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = answer_to(reader, asked)
        print('{"id":%d,%s' % (asked["id"], json_text(answer)[1:]), flush=True)


if __name__ == "__main__":
    main()
