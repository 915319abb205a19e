-- One row: the name of this database's Lockstep, by which entries and clusters on one cache are told apart.
create table lockstep_cluster (
  place tinyint not null primary key,
  name varchar(40) not null,
  made_at timestamp not null default current_timestamp
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_bin;

-- down
drop table lockstep_cluster;
