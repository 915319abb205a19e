-- Makes and locks the rows of several keys, in the order in which they stand.
insert into lockstep_keys (resource, `key`, fence, version, written_at)
values {{keys}}
on duplicate key update fence = fence
