-- The same for a key that has no row yet, or had none a moment ago.
insert into lockstep_keys (resource, `key`, fence, version, written_at)
values (:resource, :key, 0, 1, now(6))
on duplicate key update version = version + 1, written_at = now(6)
