select min({{first}}), max({{first}}) from {{table}} as r
