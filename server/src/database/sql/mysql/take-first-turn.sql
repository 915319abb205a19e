-- Makes and locks the key's row. Another writer may have made it since the update found none: then it is counted up.
insert into lockstep_keys (resource, `key`, fence, version, written_at)
values (:resource, :key, 0, 1, now(6))
on duplicate key update version = version + 1, written_at = now(6)
