insert into lockstep_outbox (resource, key, cache_key)
select item.resource, item.key, item.cache_key
from json_to_recordset(:items::json) as item (resource text, key text, cache_key text)
