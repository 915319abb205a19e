select {{columns}} from {{table}} as r where {{isChild}} limit :limit for update
