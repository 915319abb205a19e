select s.index_name as name, s.column_name as `column`, s.sub_part as prefix
from information_schema.statistics as s
where s.table_schema = {{schema}} and s.table_name = :name and s.non_unique = 0
order by s.index_name = 'PRIMARY' desc, s.index_name, s.seq_in_index
