-- Waits for the transaction that is writing this key, also for one that inserts it.
select 1 from lockstep_keys where resource = :resource and `key` = :key lock in share mode
