insert into lockstep_outbox (resource, `key`, version, related, created_at)
values (:resource, :key, :version, :related, now(6))
