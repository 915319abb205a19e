select name from lockstep_migrations order by id
