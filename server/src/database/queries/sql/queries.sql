-- name: bound
{{query}}
limit {{rows}}

-- name: describe
select * from (
{{query}}
) as described limit 0
