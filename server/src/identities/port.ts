import type { Role, Scope } from './scopes.ts';

/** A key that is to be added. */
export interface NewApiKey {
  id: string;
  name: string;
  prefix: string;
  /** SHA-256 of the key's text, in hexadecimal. */
  secretHash: string;
  scopes: readonly Scope[];
  role: Role | null;
  /** Null: never. */
  expiresInMs: number | null;
}

/** A key as it is listed; nothing of its secrets. Times are milliseconds since 1970 by the database's clock. */
export interface ListedApiKey {
  id: string;
  name: string;
  prefix: string;
  /** As they are stored. */
  scopes: readonly string[];
  role: string | null;
  state: 'valid' | 'expired' | 'revoked';
  createdAtMs: number;
  expiresAtMs: number | null;
  revokedAtMs: number | null;
  /** How long the secret before the last rotation is valid; null: it is not. */
  formerUntilMs: number | null;
  /** To within a few minutes. */
  usedAtMs: number | null;
}

/** A key that callers may show now. */
export interface ValidApiKey {
  id: string;
  prefix: string;
  secretHash: string;
  /** Of the secret before the last rotation. */
  former: { secretHash: string; leftMs: number } | null;
  scopes: readonly Scope[];
  role: Role | null;
  /** Null: it does not expire. */
  leftMs: number | null;
}

/** The API keys in the database. Rejects with LockstepError `DATABASE_UNAVAILABLE`. */
export interface ApiKeyStore {
  /** Answers false, and adds nothing, where as many are valid as may be. */
  add(key: NewApiKey): Promise<boolean>;
  list(): Promise<ListedApiKey[]>;
  valid(): Promise<ValidApiKey[]>;
  /**
   * The present secret becomes the former one, which is valid for `graceMs` longer.
   * @param expiresInMs null: as before
   * @returns whether a valid key has the id
   */
  rotate(
    id: string,
    change: { secretHash: string; graceMs: number; expiresInMs: number | null },
  ): Promise<boolean>;
  /** Answers whether a key has the id and was not revoked before. */
  revoke(id: string): Promise<boolean>;
  noteUsed(ids: readonly string[]): Promise<void>;
}
