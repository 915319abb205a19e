-- The row as the change will find it, and which of its versions it is.
select r.tableoid::text || ' ' || r.ctid::text, r.xmin::text{{columns}} from {{table}} as r where {{isKey}} for {{lock}} of r
