/** Writes, by way of the coordinator: single ones in batches, and transactions and invalidations as calls of their own. */
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
} from '@lockstep/shared/for-clients';
import {
  type BatchedCall,
  type Batches,
  errorWithoutAnswer,
  problemIn,
  strange,
} from './batches.ts';
import { Call, type CallSettings, type CallSpec } from './call.ts';
import type { ResourceCatalog } from './catalog.ts';
import { invalidArgument } from './errors.ts';
import { argumentText, keyText } from './json.ts';
import type { CoordinatorPort } from './ports.ts';
import type { Session } from './session.ts';
import type { Reply, Request } from './transport.ts';
import type {
  CallOptions,
  InvalidationResult,
  Key,
  SetOptions,
  SetResult,
  TransactionOperation,
  TransactionOptions,
  Where,
  WriteOptions,
  WriteResult,
} from './types.ts';

export type WriteOp = 'insert' | 'put' | 'patch' | 'delete';

export interface WritesOptions extends CallSettings {
  catalog: ResourceCatalog;
  transport: CoordinatorPort;
  /** For writes of keys of which nothing else is in flight, and for those that must wait for each other. */
  batches: { plain: Batches; contended: Batches };
  idempotencyKeys: boolean | Readonly<Record<string, boolean>>;
}

export interface AskedWrite {
  op: WriteOp;
  resource: string;
  /** Undefined: the database makes it. */
  key: Key | undefined;
  /** Undefined for a delete. */
  value: unknown;
  options: WriteOptions;
  session: Session;
}

/** A request that is a call of its own. */
export interface SingleRequest extends Omit<Request, 'timeoutMs'> {
  op: string;
  resource: string;
  isWrite: boolean;
  isRepeatable: boolean;
  isRetried?: CallSpec['isRetried'];
  isConclusive?: CallSpec['isConclusive'];
  idempotencyKey?: string | undefined;
}

export class Writes {
  readonly #options: WritesOptions;
  /** How many writes of a key are in flight. A key that is busy must not hold up the others of its batch. */
  readonly #keysInFlight = new Map<string, number>();
  readonly #keyPrefix: string;
  #lastKey = 0;

  constructor(options: WritesOptions) {
    this.#options = options;
    this.#keyPrefix = options.runtime.newId();
  }

  /** Rejects with LockstepError, also for wrong arguments. */
  write(asked: AskedWrite): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      const { op, resource, options, session } = asked;
      const idempotencyKey = this.#idempotencyKey(options.idempotencyKey, resource);
      const { head, busyKey } = operationHead(asked, idempotencyKey);
      let mark = 0;
      const spec: CallSpec = {
        ...{ op, resource, isWrite: true, isRepeatable: idempotencyKey !== undefined },
        ...{ idempotencyKey, reject },
        send: (call) => this.#batchesFor(call, busyKey).add(call as BatchedCall),
        accept: (result) => resolve(this.#written(result, session, mark)),
        ended: () => this.#ended(busyKey),
      };
      this.#began(busyKey);
      const call = new WriteCall(spec, options, this.#options, (timeoutMs) => {
        mark = session.mark;
        return head + operationTail(session, timeoutMs);
      });
      call.start();
    });
  }

  async transaction(
    operations: readonly TransactionOperation[],
    options: TransactionOptions,
    session: Session,
  ): Promise<WriteResult[]> {
    const names = [...new Set(operations.map(({ resource }) => resource))];
    const idempotencyKey = this.#idempotencyKey(options.idempotencyKey, names[0] ?? '');
    const headers: Record<string, string> = {};
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
    if (options.leases !== undefined && options.leases.length > 0)
      headers['lockstep-lease'] = options.leases.map(leaseId).join(',');
    if (options.timeoutMs !== undefined) headers['lockstep-timeout'] = waitText(options.timeoutMs);
    const { token, mark } = session;
    if (token !== null) headers['lockstep-token'] = token;
    const texts = operations.map(transactionText);
    const request: SingleRequest = {
      ...{ op: 'transaction', resource: names.join(), isWrite: true },
      ...{ isRepeatable: idempotencyKey !== undefined, idempotencyKey, headers },
      ...{ method: 'POST', path: '/v1/transactions', body: `{"operations":[${texts.join()}]}` },
    };
    const answer = await this.single(request, options);
    const results = Array.isArray(answer['results']) ? answer['results'] : [];
    const written = results.flatMap((result) =>
      isJsonObject(result) ? [this.#written(result, session, mark)] : [],
    );
    this.#saw(answer['token'], session, mark);
    return written;
  }

  /** @param value undefined: the rows are deleted */
  async set(
    resource: string,
    where: Where,
    value: unknown,
    options: SetOptions,
    session: Session,
  ): Promise<SetResult> {
    const idempotencyKey = this.#idempotencyKey(options.idempotencyKey, resource);
    const headers: Record<string, string> = {};
    if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
    if (options.timeoutMs !== undefined) headers['lockstep-timeout'] = waitText(options.timeoutMs);
    const { token, mark } = session;
    if (token !== null) headers['lockstep-token'] = token;
    const query = encodeURIComponent(argumentText('where', where));
    const method = value === undefined ? 'DELETE' : 'PATCH';
    const request: SingleRequest = {
      ...{ op: value === undefined ? 'delete-where' : 'update-where', resource, isWrite: true },
      ...{ isRepeatable: idempotencyKey !== undefined, idempotencyKey, headers, method },
      path: `/v1/resources/${encodeURIComponent(resource)}?where=${query}`,
      ...(value === undefined ? {} : { body: argumentText('value', value) }),
    };
    const answer = await this.single(request, options);
    const { affected, keys, versions, cache } = answer;
    const result = { resource, affected, keys, versions, outcome: 'applied', cache };
    const written = result as unknown as SetResult;
    for (const [index, key] of written.keys.entries())
      this.#sawVersion(resource, key, written.versions[index] ?? 0, session);
    this.#saw(answer['token'], session, mark);
    return written;
  }

  async invalidate(
    keys: readonly { resource: string; key: Key }[],
    options: CallOptions,
  ): Promise<InvalidationResult[]> {
    const texts = keys.map(
      ({ resource, key }) => `{"resource":${JSON.stringify(resource)},"key":${keyText(key)}}`,
    );
    const body = `{"keys":[${texts.join()}]}`;
    const request: SingleRequest = {
      ...{ op: 'invalidate', resource: keys[0]?.resource ?? '', isWrite: true, isRepeatable: true },
      ...{ method: 'POST', path: '/v1/invalidations', body },
    };
    const { results } = await this.single(request, options);
    return results as unknown as InvalidationResult[];
  }

  /** A call that is a request of its own, with the same retries and bounds. */
  single(request: SingleRequest, options: CallOptions): Promise<JsonObject> {
    const { op, resource, isWrite, isRepeatable, isRetried, isConclusive, ...rest } = request;
    const { idempotencyKey, ...asked } = rest;
    return new Promise((resolve, reject) => {
      const spec: CallSpec = {
        ...{ op, resource, isWrite, isRepeatable, isRetried, isConclusive, idempotencyKey },
        ...{ reject, accept: resolve },
        send: (call) => void this.#sendSingle(call, asked),
      };
      new Call(spec, options, this.#options).start();
    });
  }

  /** Never rejects. */
  async #sendSingle(call: Call, request: Omit<Request, 'timeoutMs'>): Promise<void> {
    const { isWrite } = call.spec;
    call.noteSent();
    try {
      const reply = await this.#options.transport.request({ ...request, timeoutMs: call.leftMs });
      const problem = problemIn(reply);
      const body = problem === null ? bodyIn(reply) : null;
      if (body !== null && reply.status < 400) call.answered(body);
      else call.failed(problem ?? errorWithoutAnswer(strange(reply), isWrite), reply.retryAfterMs);
    } catch (error) {
      call.failed(errorWithoutAnswer(error, isWrite));
    }
  }

  #idempotencyKey(given: string | false | undefined, resource: string): string | undefined {
    if (given === false) return undefined;
    if (given !== undefined) return given;
    const { idempotencyKeys } = this.#options;
    const isWanted =
      typeof idempotencyKeys === 'boolean' ? idempotencyKeys : idempotencyKeys[resource] !== false;
    if (!isWanted) return undefined;
    this.#lastKey += 1;
    return `${this.#keyPrefix}-${this.#lastKey.toString(36)}`;
  }

  #batchesFor(_call: Call, busyKey: string | null): Batches {
    const { plain, contended } = this.#options.batches;
    const isBusy = busyKey !== null && (this.#keysInFlight.get(busyKey) ?? 0) > 1;
    return isBusy ? contended : plain;
  }

  #began(busyKey: string | null): void {
    if (busyKey !== null)
      this.#keysInFlight.set(busyKey, (this.#keysInFlight.get(busyKey) ?? 0) + 1);
  }

  #ended(busyKey: string | null): void {
    if (busyKey === null) return;
    const count = this.#keysInFlight.get(busyKey) ?? 0;
    if (count > 1) this.#keysInFlight.set(busyKey, count - 1);
    else this.#keysInFlight.delete(busyKey);
  }

  #written(result: JsonObject, session: Session, mark: number): WriteResult {
    const { resource, key, version, value, cache, policy, fence, waitMs, status, token } = result;
    const written = {
      ...{ resource, key, version, value: value ?? null, outcome: 'applied' },
      ...{ cache, policy, fence: fence ?? null, waitMs, created: status === 201 },
    } as unknown as WriteResult;
    this.#sawVersion(written.resource, written.key, written.version, session);
    this.#saw(token, session, mark);
    return written;
  }

  #sawVersion(
    resource: string,
    key: string | readonly string[],
    version: number,
    session: Session,
  ): void {
    const { catalog } = this.#options;
    if (!catalog.isTracked(resource)) return;
    const parts = typeof key === 'string' ? [key] : key;
    session.sawVersion(catalog.rowName(resource, parts), version);
  }

  #saw(token: JsonValue | undefined, session: Session, mark: number): void {
    if (typeof token === 'string' && this.#options.catalog.hasReplicas)
      session.sawToken(token, mark);
  }
}

class WriteCall extends Call implements BatchedCall {
  readonly #text: (timeoutMs: number | null) => string;

  constructor(
    spec: CallSpec,
    bounds: CallOptions,
    settings: CallSettings,
    text: (timeoutMs: number | null) => string,
  ) {
    super(spec, bounds, settings);
    this.#text = text;
  }

  text(): string {
    return this.#text(this.isBounded ? this.leftMs : null);
  }
}

/** What of an operation's JSON is the same in all attempts, without its end; and the key by which it is busy. */
function operationHead(
  { op, resource, key, value, options }: Omit<AskedWrite, 'session'>,
  idempotencyKey: string | undefined,
): { head: string; busyKey: string | null } {
  const name = JSON.stringify(resource);
  const keyJson = key === undefined ? null : keyText(key);
  let head = `{"op":"${op}","resource":${name}`;
  if (keyJson !== null) head += `,"key":${keyJson}`;
  if (op !== 'delete') head += `,"value":${argumentText('value', value)}`;
  const { ifVersion, ifMatch, ifAbsent, lease } = options;
  if (ifVersion !== undefined && ifMatch !== undefined)
    throw invalidArgument('ifVersion', 'does not go with ifMatch');
  if (ifVersion !== undefined) head += `,"ifMatch":${JSON.stringify(ifVersion)}`;
  if (ifMatch !== undefined) head += `,"ifMatch":${JSON.stringify(ifMatch)}`;
  if (ifAbsent === true) head += ',"ifNoneMatch":"*"';
  if (lease !== undefined) head += `,"lease":${JSON.stringify(leaseId(lease))}`;
  if (idempotencyKey !== undefined) head += `,"idempotencyKey":${JSON.stringify(idempotencyKey)}`;
  return { head, busyKey: keyJson === null ? null : name + keyJson };
}

function transactionText(operation: TransactionOperation): string {
  const { op, resource } = operation;
  const key = op === 'insert' ? undefined : operation.key;
  const value = op === 'delete' ? undefined : operation.value;
  const options: WriteOptions = op === 'insert' ? {} : operation;
  return `${operationHead({ op, resource, key, value, options }, undefined).head}}`;
}

function operationTail({ token }: Session, timeoutMs: number | null): string {
  const timeout = timeoutMs === null ? '' : `,"timeout":${waitText(timeoutMs)}`;
  return token === null ? `${timeout}}` : `${timeout},"token":"${token}"}`;
}

const MAX_WAIT_MS = 600_000;
/** A bound on the wait for the lock, as the coordinator takes it. */
const waitText = (timeoutMs: number): string =>
  String(Math.min(MAX_WAIT_MS, Math.max(1, Math.floor(timeoutMs))));

const leaseId = (lease: { id: string } | string): string =>
  typeof lease === 'string' ? lease : lease.id;

function bodyIn({ status, text }: Reply): JsonObject | null {
  if (status === 204) return {};
  try {
    const body = parseJson(text);
    return isJsonObject(body) ? body : null;
  } catch {
    return null;
  }
}
