-- Belongs to this session: it goes with its process. Names of locks are the whole server's.
select get_lock(concat('lockstep-', left(sha2(concat(database(), '/', :name), 256), 32)), 0) as locked
