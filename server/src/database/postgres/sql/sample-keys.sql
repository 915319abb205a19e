-- {{sampled}} is the table, or a random part of its blocks where it is large.
select {{key}} from {{sampled}} as r order by random() limit :count
