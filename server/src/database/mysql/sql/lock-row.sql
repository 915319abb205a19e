select {{columns}} from {{table}} as r where {{isKey}} for update
