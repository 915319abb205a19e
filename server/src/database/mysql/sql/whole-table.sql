select {{columns}} from {{table}} as r limit :limit
