insert into routes (origin, destination, flights_2008, seats_left)
select origin, destination, flights_2008, seats_left
from json_to_recordset({{rows}}::json) as given (
  origin text, destination text, flights_2008 integer, seats_left integer
)
on conflict do nothing;
