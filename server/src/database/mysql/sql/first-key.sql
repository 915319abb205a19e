select {{first}} from {{table}} as r where {{first}} >= :from order by {{first}} limit 1
