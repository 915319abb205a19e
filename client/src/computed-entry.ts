/** What the text of a computed resource's entry tells its client. */
import { decodeEntry } from '@lockstep/shared/for-clients';

export type ComputedEntry =
  | ComputedValue
  /** Somebody runs a loader. */
  | { state: 'leased'; leaseId: string }
  /** There is no entry of the resource's own, or one that says that a value is no more. */
  | { state: 'missing' };

export interface ComputedValue {
  state: 'value';
  /** What the loader answered, as JSON. */
  text: string;
  /** For so long at the end of its life in the cache, the value is past its TTL. 0: it never is. */
  graceMs: number;
  /** Somebody runs a loader for the next value. */
  leaseId: string | null;
}

/** The header of a value as the cache's scripts write it. Every other text goes through the codec of `shared`. */
const HEADER =
  /^\{"s":"value","v":\d{1,15},"f":\d{1,16},"t":\d{1,15},"o":"([^"\\]+)"(?:,"g":(\d{1,15}))?(?:,"l":"([^"\\]+)","r":\d{1,15})?\}\n/;
const BODY_HEAD = '{"value":';

const MISSING = { state: 'missing' } as const;

/** @param owner what the header says of whose entry it is */
export function readComputedEntry(text: string | null, owner: string): ComputedEntry {
  if (text === null) return MISSING;
  const header = HEADER.exec(text);
  if (header === null) return readByCodec(text, owner);
  const [line, says, grace, leaseId = null] = header;
  const value = says === owner ? valueText(text.slice(line.length)) : null;
  if (value === null) return MISSING;
  return { state: 'value', text: value, graceMs: grace === undefined ? 0 : Number(grace), leaseId };
}

function readByCodec(text: string, owner: string): ComputedEntry {
  const entry = decodeEntry(text);
  if (entry.state === 'lease') return { state: 'leased', leaseId: entry.leaseId };
  if (entry.state !== 'value' || entry.owner !== owner) return MISSING;
  const value = valueText(text.slice(text.indexOf('\n') + 1));
  if (value === null) return MISSING;
  const { graceMs = 0, refresh } = entry;
  return { state: 'value', text: value, graceMs, leaseId: refresh?.leaseId ?? null };
}

/** The body of an entry for a value. `null` says that there is nothing. */
export const bodyOfValue = (text: string): string =>
  text === 'null' ? 'null' : `${BODY_HEAD}${text}}`;

/** Null where the body is none of a computed resource. */
function valueText(body: string): string | null {
  if (body === 'null') return body;
  return body.startsWith(BODY_HEAD) && body.endsWith('}') ? body.slice(BODY_HEAD.length, -1) : null;
}
