select * from (
{{query}}
) as described limit 0
