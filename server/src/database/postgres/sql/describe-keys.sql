-- Unique keys that an insert can name as its conflict target: whole, immediate, of plain columns.
select
  i.indisprimary as is_primary,
  json_agg(a.attname order by place.number)::text as columns
from pg_catalog.pg_index as i
cross join lateral unnest(i.indkey::int2[]) with ordinality as place (attnum, number)
join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = place.attnum
where i.indrelid = to_regclass(:table)
  and i.indisunique and i.indisvalid and i.indimmediate
  and i.indpred is null and i.indexprs is null
  and place.number <= i.indnkeyatts
group by i.indexrelid, i.indisprimary
order by i.indisprimary desc, i.indexrelid
