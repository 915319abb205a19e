show create table {{table}}
