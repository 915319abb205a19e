insert into lockstep_keys (resource, `key`, fence, version, written_at)
values (:resource, :key, :fence, 0, now(6))
on duplicate key update fence = greatest(fence, values(fence))
