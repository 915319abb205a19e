insert into {{table}} as r ({{names}}) {{overriding}}
  select {{values}} where {{turn}} is not null {{afterBefore}}
  on conflict ({{key}}) {{onConflict}}
  -- xmax is zero in a row that was inserted, and this transaction's number in one that it locked and updated.
  returning true as present, r.xmax = 0 as created{{columns}}
