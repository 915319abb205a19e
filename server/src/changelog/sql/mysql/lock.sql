-- Belongs to this session: it goes with its process. Names of locks are the whole server's.
select get_lock(concat('lockstep-', md5(concat(database(), '/', :name))), 0) as locked
