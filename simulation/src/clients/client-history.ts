/** Records what clients saw, and nothing else, in the form that the checkers of histories read. */
import {
  checkValues,
  checkVersions,
  HistoryRecorder,
  parseHistory,
  type Call,
} from '@lockstep/checkers';
import type { JsonValue, ReadSource, Row } from '@lockstep/shared';
import type { Key, WriteReceipt, WriteRequest } from '../../../server/src/domain/index.ts';
import type { Referee } from '../rules/referee.ts';
import { INSERTED, TABLE_RULES } from '../world/resources.ts';
import type { World } from '../world/world.ts';

/** The answer that a client got. */
export type Told<T> =
  | { status: 'ok'; answer: T }
  | { status: 'failed'; code: string }
  | { status: 'unknown'; code: string };

/** The part of a read's answer that a history contains. */
export interface ReadTold {
  /** Null: the caller was told that there is no row, and nothing else. */
  version: number | null;
  row: Row | null;
  /** Null: the caller does not know. */
  source: ReadSource | null;
  /** It comes from the memory of the client's process, or may do so. */
  isLocal?: boolean;
}

/** The part of a write's answer that is judged. */
export type WriteTold = Pick<WriteReceipt, 'version' | 'value' | 'cache' | 'replayed'>;

/** By which way a call goes: to a coordinator, by the client of a service, or straight to the cache. */
export type Way = { coordinator: number } | { service: number } | 'cache';

/** The id of operations that histories do not contain. */
export const NOT_RECORDED = 0;

export class ClientHistory {
  readonly lines: string[] = [];
  readonly #recorder: HistoryRecorder;

  constructor(world: World) {
    const resources = [...world.resources.values()].map(
      ({ name, policy }) => [name, { policy }] as const,
    );
    this.#recorder = new HistoryRecorder({
      resources: Object.fromEntries(resources),
      nowMs: () => world.scheduler.nowMs,
      write: (line) => this.lines.push(line),
    });
  }

  beginRead(key: Key, way: Way, options: { primary: boolean; minVersion: number }): number {
    // Nobody knows the key of a new row before its insert is answered.
    if (key.resource.name === INSERTED) return NOT_RECORDED;
    const { primary, minVersion } = options;
    const call: Call =
      way === 'cache'
        ? { op: 'cache-read' }
        : {
            op: 'read',
            ...(primary ? { primary } : {}),
            ...(minVersion > 0 ? { minVersion } : {}),
          };
    return this.#begin(key, way, call);
  }

  /** @param told null: there was no value */
  endRead(id: number, told: Told<ReadTold> | null): void {
    if (id === NOT_RECORDED) return;
    if (told === null) return this.#recorder.fail(id, 'MISS');
    if (told.status !== 'ok') return this.#recorder.fail(id, told.code);
    const { version, row, isLocal = false } = told.answer;
    const source = isLocal ? 'local' : told.answer.source;
    this.#recorder.ok(id, {
      value: row,
      ...(version === null ? {} : { version }),
      ...(source === null ? {} : { source }),
    });
  }

  beginWrite(request: WriteRequest, way: Way): number {
    const { key, idempotency } = request;
    const repeat = idempotency === undefined ? {} : { idempotencyKey: idempotency.key };
    return this.#begin(key, way, callOf(request), repeat);
  }

  endWrite(id: number, told: Told<WriteTold>): void {
    if (told.status === 'unknown') return this.#recorder.unknown(id, told.code);
    if (told.status === 'failed') return this.#recorder.fail(id, told.code);
    const { value, version, cache } = told.answer;
    this.#recorder.ok(id, { value, version, cache });
  }

  #begin(key: Key, way: Way, call: Call, rest = {}): number {
    const via = wayInWords(way);
    // Each operation gets its own client in the history, because a simulated client's earlier one may still be in
    // flight.
    const client = this.#recorder.newClient();
    return this.#recorder.invoke({ ...call, client, key: key.cacheKey, via, ...rest });
  }
}

function wayInWords(way: Way): string {
  if (way === 'cache') return way;
  return 'service' in way ? `service ${way.service + 1}` : `coordinator ${way.coordinator + 1}`;
}

/** Reports what the checkers find in a history as violations. */
export function judgeHistory({ lines }: ClientHistory, referee: Referee): void {
  const history = parseHistory(lines);
  for (const { rule, key, message } of checkVersions(history)) {
    referee.report('versions', key, `${rule}: ${message}`);
  }
  for (const { key, message } of checkValues(history, { maxStates: MAX_STATES }).violations) {
    referee.report('values', key, message);
  }
}

/** Short histories need few states. One that needs more is not judged. */
const MAX_STATES = 20_000;

function callOf({ key, change, ifMatch }: WriteRequest): Call {
  switch (change.op) {
    case 'delete':
      return { op: 'delete' };
    case 'patch':
      return { op: 'increment', field: 'count', by: Number(change.increment['count'] ?? 0) };
    case 'put': {
      const value: JsonValue = {
        id: Number(key.parts[0]),
        ...TABLE_RULES.defaults,
        ...change.set,
      };
      return ifMatch === undefined ? { op: 'write', value } : { op: 'cas', value, ifMatch };
    }
  }
}
