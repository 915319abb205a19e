-- The tables of these names that are there. By their plain names: with any other condition the server looks at every one.
select t.table_schema as db, t.table_name as name
from information_schema.tables as t
where t.table_type = 'BASE TABLE' and t.table_schema in (:databases) and t.table_name in (:relations)
