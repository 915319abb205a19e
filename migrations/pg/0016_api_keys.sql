-- The API keys of callers. Secrets are not stored, only their SHA-256 (hexadecimal), which nobody can turn back: each
-- secret has 192 random bits. After a rotation the former secret is valid until `former_until_ms`. Times are milliseconds
-- since 1970 by this server's clock.
create table lockstep_api_keys (
  id text collate "C" primary key,
  name text not null,
  -- Public: it stands in the key's text, and a row is found by it.
  prefix text collate "C" not null unique,
  secret_hash text not null,
  former_hash text,
  former_until_ms bigint,
  -- A JSON array of texts such as write:account:eu-*.
  scopes text not null,
  -- viewer, operator or admin; null: none.
  role text,
  created_at_ms bigint not null,
  -- Null: never.
  expires_at_ms bigint,
  revoked_at_ms bigint,
  -- To within a few minutes; null until it is used.
  used_at_ms bigint
);

-- down
drop table lockstep_api_keys;
