insert into airports (iata, name, city, state, country, latitude, longitude)
select iata, name, city, state, country, latitude, longitude
from json_to_recordset({{rows}}::json) as given (
  iata text, name text, city text, state text, country text, latitude double precision, longitude double precision
)
on conflict do nothing;
