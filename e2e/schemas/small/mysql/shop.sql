-- A typical application's schema: flags, enums, sets, binary keys, geometry, zero dates, generated columns.
create table product (
  id binary(16) primary key,
  sku varchar(40) character set latin1 collate latin1_bin not null unique,
  price decimal(12, 4) not null,
  weight float,
  volume double,
  in_stock tinyint(1) not null default 1,
  kind enum('book', 'music', '') not null,
  flags set('new', 'sale'),
  made year,
  attributes json,
  gross decimal(14, 4) as (price * 1.2) stored,
  changed timestamp not null default current_timestamp on update current_timestamp
);
create table shop (
  id int unsigned auto_increment primary key,
  place point not null,
  `constructor` varchar(20),
  `order` text,
  opened datetime(6)
);
create table stock (
  shop_id int unsigned not null,
  product_id binary(16) not null,
  day date not null,
  amount mediumint not null,
  bits bit(5),
  primary key (shop_id, product_id, day),
  foreign key (shop_id) references shop (id) on delete cascade
);
create table log (line text);
