select {{key}} from {{table}} as r where {{first}} >= :from order by {{first}} limit :count
