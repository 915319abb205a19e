-- Takes the key's row lock. The version is counted up at once: a write that is refused is rolled back whole.
insert into lockstep_keys (resource, `key`, fence, version, written_at)
values (:resource, :key, 0, 1, now(6))
on duplicate key update version = version + 1, written_at = now(6)
