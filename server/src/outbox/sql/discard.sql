delete from lockstep_dead_letters where id = :id
