"""A client of Lockstep over HTTP, with nothing but Python's standard library.

Reads, writes that are repeated safely, and guards for transactions of your own. Threads may share one `Client`.
Decimals and whole numbers beyond 2^53 are text in rows, as docs/types.md says.
"""
import json, random, time, uuid
from contextlib import contextmanager
from http.client import HTTPException
from urllib import error, parse, request


class LockstepError(Exception):
    """A call failed. Branch on `code`. `outcome` says what became of a write: not_applied, unknown or applied."""

    def __init__(self, problem, retry_after_s=0.0):
        super().__init__("%s (%s): %s" % (problem["code"], problem["outcome"], problem.get("detail", "")))
        self.code, self.outcome, self.retryable = problem["code"], problem["outcome"], problem["retryable"]
        self.problem, self.retry_after_s = problem, retry_after_s
        self.was_unknown = self.outcome == "unknown"  # of any attempt
        self.attempts, self.idempotency_key = 1, None


class Client:
    def __init__(self, url, token, timeout_s=30.0, attempts=8):
        self.url, self.token, self.timeout_s, self.attempts = url.rstrip("/"), token, timeout_s, attempts

    def get(self, resource, key):
        """The row as {"value", "version", "source", "etag"}, or None where there is no such row."""
        try:
            return self.call("GET", row_path(resource, key))
        except LockstepError as failed:
            if failed.code == "NOT_FOUND":
                return None
            raise

    def put(self, resource, key, row, **conditions):
        return self.write("PUT", resource, key, row, **conditions)

    def patch(self, resource, key, changes, **conditions):
        """`changes` has new values of columns, or {"$inc": {"balance": -5}}."""
        return self.write("PATCH", resource, key, changes, **conditions)

    def delete(self, resource, key, **conditions):
        return self.write("DELETE", resource, key, None, **conditions)

    def write(self, method, resource, key, body, if_match=None, idempotency_key=None):
        """
        One write, applied once however often it is sent. If it fails with the outcome unknown, send it again with the
        `idempotency_key` of the error. `if_match`: the `etag` that the row must have.
        """
        idempotency_key = idempotency_key or str(uuid.uuid4())
        headers = {"Idempotency-Key": idempotency_key}
        if if_match is not None:
            headers["If-Match"] = if_match
        try:
            return self.call(method, row_path(resource, key), body, headers)
        except LockstepError as failed:
            failed.idempotency_key = idempotency_key
            if failed.was_unknown:  # an attempt that was not answered may still arrive, whatever the last one was answered
                failed.code, failed.outcome = "OUTCOME_UNKNOWN", "unknown"
            raise

    def invalidate(self, *keys):
        """Tells that the caller has changed rows itself: ("profile", 7), …"""
        return self.call("POST", "/v1/invalidations", {"keys": named(keys)})["results"]

    @contextmanager
    def guard(self, *keys, ttl="10s"):
        """
        Holds rows of strict resources while the block runs a transaction that calls `lockstep_guard`. The block must end
        after the commit; if it raises, its transaction must have been rolled back.
        """
        # Asked for twice, the first grant would stand in the way of the second: it is not repeated once it was sent.
        taken = self.call("POST", "/v1/guards", {"keys": named(keys), "ttl": ttl}, is_repeatable=False)
        try:
            yield taken["keys"]
        except BaseException as cause:
            untold = self.tell(taken["id"], "rollback")
            if untold is not None and untold.code == "GUARD_LOST" and untold.outcome == "applied":
                raise untold from cause  # it failed, but its transaction has committed
            raise
        untold = self.tell(taken["id"], "commit")
        # What cannot be told now has committed all the same: its rows stay hidden until the coordinators know.
        if untold is not None and untold.outcome != "applied" and untold.code in ("GUARD_LOST", "UNKNOWN_GUARD"):
            raise untold

    def tell(self, guard_id, what):
        """Tells what became of a guard's transaction; answers why that failed, or None."""
        try:
            self.call("POST", "/v1/guards/%s/%s" % (parse.quote(guard_id, safe=""), what))
        except LockstepError as failed:
            is_told = failed.code == "UNKNOWN_GUARD" and failed.attempts > 1  # by an attempt whose answer was lost
            return None if is_told else failed
        return None

    def call(self, method, path, body=None, headers=None, is_repeatable=True):
        """The answer to a call, over all its attempts."""
        was_unknown = False
        for attempt in range(1, self.attempts + 1):
            try:
                return self.send(method, path, body, headers or {})
            except LockstepError as failed:
                was_unknown = was_unknown or failed.was_unknown
                if attempt == self.attempts or not failed.retryable or (was_unknown and not is_repeatable):
                    failed.was_unknown, failed.attempts = was_unknown, attempt
                    raise
                time.sleep(max(failed.retry_after_s, random.random() * 0.02 * 2**attempt))

    def send(self, method, path, body, headers):
        """One attempt."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer " + self.token, "Content-Type": "application/json", **headers}
        asked = request.Request(self.url + path, data, headers, method=method)
        try:
            with request.urlopen(asked, timeout=self.timeout_s) as reply:
                answer = json.loads(reply.read() or b"{}")
                return {**answer, "etag": reply.headers["ETag"]}
        except error.HTTPError as refused:
            raise LockstepError(problem_in(refused), float(refused.headers["Retry-After"] or 0)) from None
        except (OSError, HTTPException, ValueError) as fault:
            raise LockstepError(no_answer(str(fault), True)) from fault


def problem_in(refused):
    """What a refusal says. What is not Lockstep's (a proxy's page) says nothing about the write."""
    try:
        problem = json.loads(refused.read())
        if {"code", "outcome", "retryable"} <= problem.keys():
            return problem
    except (OSError, HTTPException, ValueError, AttributeError):
        pass
    return no_answer("status %d" % refused.code, refused.code >= 500)


def no_answer(detail, retryable):
    return {"code": "NO_ANSWER", "outcome": "unknown", "retryable": retryable, "detail": detail}


def row_path(resource, key):
    """Parts of a key are percent-encoded each, and joined by a bare comma."""
    parts = key if isinstance(key, (list, tuple)) else [key]
    return "/v1/resources/%s/%s" % (resource, ",".join(parse.quote(str(part), safe="") for part in parts))


def named(keys):
    return [{"resource": resource, "key": key} for resource, key in keys]
