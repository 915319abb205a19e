-- MariaDB. By the table's own name: with any other condition the server opens every table of every database.
select k.check_clause as clause
from information_schema.check_constraints as k
where k.constraint_schema = {{schema}} and k.table_name = :name
