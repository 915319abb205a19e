select table_name as name
from information_schema.tables
where table_schema = database() and table_name like 'lockstep\_%'
order by table_name
