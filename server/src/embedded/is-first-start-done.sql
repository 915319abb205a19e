select to_regclass('public.lockstep_embedded') is not null as done
