/** The text of an API key, `lsk_PREFIX_SECRET`: the prefix is public, and the secret has 192 random bits. */
import { hash } from 'node:crypto';
import type { Ids } from '../runtime/index.ts';

const PREFIX_LENGTH = 12;
const KEY = /^lsk_([0-9a-f]{12})_[A-Za-z0-9_-]{32}$/;

export interface NewKeyText {
  id: string;
  prefix: string;
  /** Shown once. */
  text: string;
  /** Of the whole text, in hexadecimal. */
  hash: string;
}

/** A new key. Each id of `ids` has at least 96 random bits. */
export function newKeyText(ids: Ids): NewKeyText {
  const prefix = publicName(ids);
  return { id: `key_${publicName(ids)}`, prefix, ...newSecret(prefix, ids) };
}

/** Another secret for a key. */
export function newSecret(prefix: string, ids: Ids): Pick<NewKeyText, 'text' | 'hash'> {
  const text = `lsk_${prefix}_${ids.next()}${ids.next()}`;
  return { text, hash: hash('sha256', text, 'hex') };
}

/** The public prefix in a caller's token; null if the token is no key. */
export const prefixOf = (token: string): string | null => KEY.exec(token)?.[1] ?? null;

/** Such as a command line takes it: no id of base64 may begin an argument, since it may begin with a hyphen. */
const publicName = (ids: Ids): string => hash('sha256', ids.next(), 'hex').slice(0, PREFIX_LENGTH);
