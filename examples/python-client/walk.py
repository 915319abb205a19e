#!/usr/bin/env python3
"""Walks over one row of examples/accounts/lockstep.json and prints a line for each step: walk.py URL TOKEN"""
import sys
import time

from client import Client, LockstepError


class Changed(Exception):
    """The work under the guard has thought better of it."""


def walk(lockstep, account):
    put = lockstep.put("account", account, {"owner": "Ada", "balance": 10})
    print("put: %s, version %d, cache %s" % (put["outcome"], put["version"], put["cache"]))

    patched = lockstep.patch("account", account, {"$inc": {"balance": 5}})
    print("patch: version %d, balance %s" % (patched["version"], patched["value"]["balance"]))

    read = lockstep.get("account", account)
    print("read: version %d, balance %s, etag %s" % (read["version"], read["value"]["balance"], read["etag"]))

    try:
        lockstep.patch("account", account, {"owner": "Bea"}, if_match='"1"')
    except LockstepError as refused:
        print("If-Match \"1\": %s, %s, etag %s" % (refused.code, refused.outcome, refused.problem["etag"]))

    key = "walk-%d" % account
    versions = [
        lockstep.patch("account", account, {"$inc": {"balance": -5}}, idempotency_key=key)["version"] for _ in "12"
    ]
    balance = lockstep.get("account", account)["value"]["balance"]
    print("the same write twice: versions %d and %d, balance %s" % (*versions, balance))

    told = lockstep.invalidate(("account", account))
    print("invalidation: cache %s" % told[0]["cache"])
    again = lockstep.get("account", account)
    print("read: version %d from %s" % (again["version"], again["source"]))

    try:
        with lockstep.guard(("account", account)) as held:
            print("guard: held at version %d" % held[0]["version"])
            raise Changed
    except Changed:
        print("guard: rolled back")

    print("delete: version %d" % lockstep.delete("account", account)["version"])
    print("read: no such row" if lockstep.get("account", account) is None else "read: still there")


if __name__ == "__main__":
    walk(Client(sys.argv[1], sys.argv[2]), time.time_ns() // 1_000_000)
