-- Null where the row came out of a dump: the numbers are another server's then, and say nothing here.
select case when t.xmin = t.written_by::xid then t.pristine_below::text end as pristine_below
from lockstep_tables as t
where t.name = :name
