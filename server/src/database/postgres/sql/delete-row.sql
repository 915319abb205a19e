delete from {{table}} as r where {{isKey}} {{returning}}
