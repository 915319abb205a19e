insert into {{table}} ({{names}}) values ({{values}})
