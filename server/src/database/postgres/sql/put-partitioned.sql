-- On a partitioned table a returned row does not tell whether it was inserted: the row that is there is looked for
-- first (`before`). One that comes after this statement's snapshot lets neither of these two happen, and the write is
-- tried again.
replaced as (
  update {{table}} as r
    set {{assignments}}
    where {{isKey}} and {{turn}} is not null and {{isReplaced}} {{unchanged}}
    returning true as present, false as created{{columns}}
),
inserted as (
  insert into {{table}} as r ({{names}}) {{overriding}}
    select {{values}} where {{turn}} is not null and not exists (select from before)
    on conflict ({{key}}) do nothing
    returning true as present, true as created{{columns}}
),
