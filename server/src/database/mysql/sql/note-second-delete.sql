insert into lockstep_outbox (resource, `key`, version, related, created_at, due_at, retry_at)
values (
  :resource, :key, :version, :related, now(6),
  now(6) + interval :second_delete_after_ms * 1000 microsecond,
  now(6) + interval :second_delete_after_ms * 1000 microsecond
)
