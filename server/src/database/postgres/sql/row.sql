select r.tableoid::text || ' ' || r.ctid::text, r.xmin::text{{columns}} from {{table}} as r where {{isKey}}
