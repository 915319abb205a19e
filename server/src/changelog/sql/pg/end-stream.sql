-- Another process of Lockstep's streams from the slot: it has lost its turn and does not know it yet.
select pg_terminate_backend(:pid::integer) as ended
