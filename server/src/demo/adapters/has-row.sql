select exists (select from {{table}} where {{key}}) as there
