-- The API keys of callers. Secrets are not stored, only their SHA-256 (hexadecimal), which nobody can turn back: each
-- secret has 192 random bits. After a rotation the former secret is valid until `former_until_ms`. Times are milliseconds
-- since 1970 by this server's clock.
create table if not exists lockstep_api_keys (
  id varchar(64) not null primary key,
  name varchar(255) not null,
  -- Public: it stands in the key's text, and a row is found by it.
  prefix varchar(64) not null,
  secret_hash varchar(64) not null,
  former_hash varchar(64),
  former_until_ms bigint,
  -- A JSON array of texts such as write:account:eu-*.
  scopes longtext not null,
  -- viewer, operator or admin; null: none.
  role varchar(16),
  created_at_ms bigint not null,
  -- Null: never.
  expires_at_ms bigint,
  revoked_at_ms bigint,
  -- To within a few minutes; null until it is used.
  used_at_ms bigint,
  unique key lockstep_api_keys_prefix (prefix)
) engine = InnoDB row_format = dynamic default charset = utf8mb4 collate = utf8mb4_bin;

-- down
drop table if exists lockstep_api_keys;
