create table accounts (id bigint primary key, owner text not null, balance bigint not null default 0);
create table profiles (id bigint primary key, name text not null);
insert into accounts values (42, 'Ada', 100);
insert into profiles values (7, 'Ada');
