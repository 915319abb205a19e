-- name: list-missing-rights
select t.name, p.privilege
from unnest(:tables::text[]) as t (name)
cross join (values (1, 'select'), (2, 'insert'), (3, 'update'), (4, 'delete')) as p (place, privilege)
where to_regclass(t.name) is not null
  and not has_table_privilege(to_regclass(t.name)::oid, p.privilege)
  and not (p.privilege <> 'delete' and has_any_column_privilege(to_regclass(t.name)::oid, p.privilege))
order by t.name, p.place
