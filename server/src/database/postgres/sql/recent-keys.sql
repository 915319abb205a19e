select key from {{sampled}} as k
where resource = :resource
order by written_at desc
limit :count
