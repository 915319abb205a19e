delete from {{table}} where {{isKey}}
