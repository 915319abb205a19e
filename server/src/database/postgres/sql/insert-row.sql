insert into {{table}} as r ({{names}}) {{overriding}} values ({{values}}) {{returning}}
