select {{key}} from {{table}} as r limit :count
