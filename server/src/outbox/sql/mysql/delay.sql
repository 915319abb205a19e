update lockstep_outbox
set retry_at = now(6) + interval :delay_ms * 1000 microsecond,
    attempts = attempts + :counted,
    error = :error
where id = :id
