-- What acts when a row of the table is written, as far as the account may see it.
select t.trigger_name as name
from information_schema.triggers as t
where t.event_object_schema = {{schema}} and t.event_object_table = :name
order by t.trigger_name
