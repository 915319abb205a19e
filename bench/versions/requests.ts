/** The requests of the callers, and their connections. */
import { Client } from 'undici';
import { acknowledged } from '../answer.ts';
import { KEY_COUNT } from './servers.ts';

export type Policy = 'strict' | 'delete-after-write';

/** A row of the table: one kind of call. */
export interface Row {
  name: string;
  policy: Policy;
  kind: 'read' | 'write' | 'batch';
  /** Whether all callers use the same key. */
  isHot: boolean;
}

const row = (name: string, policy: Policy, kind: Row['kind'], isHot = false): Row => ({
  name,
  policy,
  kind,
  isHot,
});

export const ROWS: readonly Row[] = [
  row('read-strict', 'strict', 'read'),
  row('read-delete-after-write', 'delete-after-write', 'read'),
  row('write-strict', 'strict', 'write'),
  row('write-delete-after-write', 'delete-after-write', 'write'),
  row('write-strict-hot', 'strict', 'write', true),
  row('write-delete-after-write-hot', 'delete-after-write', 'write', true),
  row('batch-strict', 'strict', 'batch'),
  row('batch-delete-after-write', 'delete-after-write', 'batch'),
];

/** Writes of one batch. */
const BATCH_SIZE = 16;

/** One kept-alive connection for each caller. */
export class Callers {
  readonly #clients: readonly Client[];
  readonly #headers: string[];

  constructor(url: string, token: string, callers: number) {
    this.#clients = Array.from({ length: callers }, () => new Client(url, { pipelining: 1 }));
    this.#headers = ['authorization', `Bearer ${token}`, 'content-type', 'application/json'];
  }

  /** @throws Error if the answer is not 200, or an item of a batch fails */
  send(row: Row, caller: number, key: number, value: number): Promise<void> {
    const client = this.#clients[caller];
    if (client === undefined) throw new RangeError(`There is no caller ${caller}`);
    const request = { ...requestOf(row, key, value), headers: this.#headers };
    return acknowledged(client, request, row.kind === 'batch' ? hasFailedItem : undefined);
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

function requestOf(
  { kind, policy }: Row,
  key: number,
  value: number,
): { method: 'GET' | 'PATCH' | 'POST'; path: string; body: string | null } {
  const path = `/v1/resources/${policy}/${key}`;
  if (kind === 'read') return { method: 'GET', path, body: null };
  if (kind === 'write') return { method: 'PATCH', path, body: `{"value":${value}}` };
  const operations = Array.from({ length: BATCH_SIZE }, (_, index) => ({
    op: 'patch',
    resource: policy,
    key: String(1 + ((key + index * 613) % KEY_COUNT)),
    value: { value },
  }));
  return { method: 'POST', path: '/v1/batch', body: JSON.stringify({ operations }) };
}

const hasFailedItem = (text: string): boolean => /"status":[45]/.test(text);
