select
  t.table_type as kind,
  t.engine as engine,
  e.transactions as transactions,
  t.create_time as created
from information_schema.tables as t
left join information_schema.engines as e on e.engine = t.engine
where t.table_schema = {{schema}} and t.table_name = :name
