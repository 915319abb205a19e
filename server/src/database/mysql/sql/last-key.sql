select {{first}} from {{table}} as r where {{first}} < :below order by {{first}} desc limit 1
