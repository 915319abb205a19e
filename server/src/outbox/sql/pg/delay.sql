update lockstep_outbox
set retry_at = clock_timestamp() + :delay_ms::float8 * interval '1 millisecond',
    attempts = attempts + :counted::integer,
    error = :error
where id = :id
