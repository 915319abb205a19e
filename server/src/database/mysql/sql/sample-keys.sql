select {{key}} from {{table}} as r order by rand() limit :count
