-- Whether the row has already what the change asks for.
select true from {{table}} as r where {{isKey}} and {{isShown}}
