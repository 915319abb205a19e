import { createServer } from 'node:net';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, ApiClient, cell } from '../support/api-client.ts';
import { type ExternalServers, startExternalServers } from '../support/external-servers.ts';
import { newId } from '../support/shop.ts';
import { useInstance } from '../support/shared-instance.ts';
import { eventually } from '@lockstep/testkit/poll';
import { startInstance } from '@lockstep/testkit/instances/instance';

const WORKERS = 2;
const WRITERS = 8;
const BACK_WITHIN = { timeout: 60_000, interval: 50 };
/** One connection for each call: it reaches either worker. */
const ALONE = { headers: { connection: 'close' } };

let servers: ExternalServers;
beforeAll(async () => {
  servers = await startExternalServers('pg');
});
afterAll(() => servers?.stop());

interface WorkerProcess {
  name: string;
  pid: number;
}

/** Callers that increase one row each and read it back, until they are told to end. */
class Callers {
  readonly faults: string[] = [];
  /** Reads that were older than the last acknowledged write before them. */
  readonly oldReads: string[] = [];
  readonly #api: ApiClient;
  readonly #rows: readonly { id: number; acknowledged: number; unclear: number }[];
  #isOver = false;
  #running: Promise<unknown> = Promise.resolve();

  private constructor(
    api: ApiClient,
    rows: readonly { id: number; acknowledged: number; unclear: number }[],
  ) {
    this.#api = api;
    this.#rows = rows;
  }

  /** @param beside others, whose rows these callers change too */
  static async start(api: ApiClient, beside?: Callers): Promise<Callers> {
    if (beside !== undefined) {
      const callers = new Callers(api, beside.#rows);
      callers.#running = Promise.all(callers.#rows.map((row) => callers.#run(row)));
      return callers;
    }
    const ids = Array.from({ length: WRITERS }, newId);
    for (const id of ids)
      expect((await api.put('account', id, { owner: 'Ada', balance: 0 })).status).toBe(201);
    const rows = ids.map((id) => ({ id, acknowledged: 0, unclear: 0 }));
    const callers = new Callers(api, rows);
    callers.#running = Promise.all(callers.#rows.map((row) => callers.#run(row)));
    return callers;
  }

  get acknowledged(): number {
    return this.#rows.reduce((sum, row) => sum + row.acknowledged, 0);
  }

  async endCalls(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** Ends them, and compares each row with what was acknowledged. */
  async end(): Promise<void> {
    await this.endCalls();
    for (const { id, acknowledged, unclear } of this.#rows) {
      const balance = Number(cell(await this.#api.get('account', id), 'balance'));
      expect(balance).toBeGreaterThanOrEqual(acknowledged);
      expect(balance).toBeLessThanOrEqual(acknowledged + unclear);
    }
  }

  async #run(row: { id: number; acknowledged: number; unclear: number }): Promise<void> {
    while (!this.#isOver) {
      // What one of these leaves open is counted as possible, and told.
      const written = await this.#call(() =>
        this.#api.patch('account', row.id, { $inc: { balance: 1 } }),
      );
      if (written === 200) row.acknowledged += 1;
      else row.unclear += 1;
      const least = row.acknowledged;
      await this.#call(async () => {
        const answer = await this.#api.get('account', row.id);
        const seen = Number(cell(answer, 'balance'));
        if (answer.status === 200 && seen < least) this.oldReads.push(`${seen} after ${least}`);
        return answer;
      });
    }
  }

  /** The status; null if the connection broke. */
  async #call(call: () => Promise<Answer>): Promise<number | null> {
    try {
      const { status, body, text } = await call();
      if (status !== 200) this.faults.push(`${status} ${body.code ?? text.slice(0, 80)}`);
      return status;
    } catch (error) {
      this.faults.push(String(error));
      return null;
    }
  }
}

describe('a coordinator of two workers', () => {
  const bed = useInstance(() => ({ config: servers.config, workers: WORKERS }));

  const workers = (): WorkerProcess[] =>
    bed.instance.runtime.processes.filter(({ name }) => name.startsWith('worker-'));
  const first = (): WorkerProcess => {
    const [found] = workers();
    if (found === undefined) throw new Error('There is no worker');
    return found;
  };
  const untilReplaced = (pid: number): Promise<void> =>
    expect
      .poll(() => workers().filter((each) => each.pid !== pid).length, BACK_WITHIN)
      .toBe(WORKERS);

  /** Answers of both workers to the same call. */
  async function fromBoth(call: () => Promise<Answer>): Promise<Answer[]> {
    const byInstance = new Map<string, Answer>();
    await eventually(
      async () => {
        const answer = await call();
        expect(answer.status, answer.text).toBe(200);
        byInstance.set(answer.headers['lockstep-instance'] ?? '', answer);
        expect(byInstance.size).toBe(WORKERS);
      },
      { withinMs: 90_000, everyMs: 5 },
    );
    return [...byInstance.values()];
  }

  async function metric(line: RegExp): Promise<number> {
    const { text } = await bed.anonymous.call('GET', '/metrics', ALONE);
    const values = text.split('\n').filter((each) => line.test(each));
    return values.reduce((sum, each) => sum + Number(each.split(' ').at(-1)), 0);
  }

  test('both serve the port, and name its address as theirs (J6)', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'Ada' });
    const path = `/v1/resources/account/${id}`;
    const answers = await fromBoth(() => bed.api.call('GET', path, ALONE));
    expect(new Set(answers.map((answer) => cell(answer, 'owner')))).toEqual(new Set(['Ada']));
    const { text } = await bed.api.call('GET', '/v1/routing', ALONE);
    const { members } = JSON.parse(text) as { members: { url: string }[] };
    expect(members.map(({ url }) => url)).toEqual([bed.instance.url, bed.instance.url]);
  });

  test('a lease of one is extended and released through the other (J6)', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'Ada' });
    const granted = await bed.api.post('/v1/leases', { resource: 'account', key: id, ttl: '20s' });
    expect(granted.status).toBe(201);
    const lease = (JSON.parse(granted.text) as { id: string }).id;
    for (let turn = 0; turn < 8; turn++) {
      const options = { body: { ttl: '20s' }, ...ALONE };
      const extended = await bed.api.call('PATCH', `/v1/leases/${lease}`, options);
      expect(extended.status, extended.text).toBe(200);
    }
    const inspected = await bed.admin.call('GET', `/v1/ops/keys/account/${id}`, ALONE);
    expect(inspected.text).toContain('"purpose":"lease"');
    expect((await bed.api.call('DELETE', `/v1/leases/${lease}`, ALONE)).status).toBe(200);
  });

  test.each(['polling', 'websocket'])('the live stream by %s shows both (J6)', async (first) => {
    const token = bed.instance.runtime.adminToken;
    const transports = first === 'polling' ? ['polling', 'websocket'] : ['websocket'];
    const options = { path: '/live', auth: { token }, transports, forceNew: true };
    for (let session = 0; session < 4; session++) {
      const socket = io(`${bed.instance.url}/ops`, options);
      const [{ nodes }] = await new Promise<[{ nodes: { kind: string }[] }]>((resolve, reject) => {
        socket.once('connect_error', reject);
        socket.on('nodes', (...event: [{ nodes: { kind: string }[] }]) => {
          const seen = event[0].nodes.filter(({ kind }) => kind === 'coordinator');
          if (seen.length === WORKERS) resolve(event);
        });
      });
      expect(nodes.filter(({ kind }) => kind === 'coordinator')).toHaveLength(WORKERS);
      socket.close();
    }
  });

  test('metrics are of both, whichever answers, and no counter falls when one is killed (J9)', async () => {
    const id = newId();
    const writes = /^lockstep_writes_total\{.*resource="account".*\}/;
    await bed.api.put('account', id, { owner: 'Ada', balance: 0 });
    const before = await metric(writes);
    for (let turn = 0; turn < 10; turn++) {
      const options = { body: { $inc: { balance: 1 } }, ...ALONE };
      await bed.api.call('PATCH', `/v1/resources/account/${id}`, options);
    }
    expect([await metric(writes), await metric(writes)]).toEqual([before + 10, before + 10]);
    const { pid } = first();
    process.kill(pid, 'SIGKILL');
    await untilReplaced(pid);
    expect(await metric(writes)).toBeGreaterThanOrEqual(before + 10);
    expect(await metric(/^lockstep_worker_restarts_total/)).toBe(1);
  });

  test('a killed worker loses no acknowledged write, leaves no old read, and is replaced (J7)', async () => {
    const callers = await Callers.start(bed.api);
    await expect.poll(() => callers.acknowledged, BACK_WITHIN).toBeGreaterThan(WRITERS);
    const { pid } = first();
    process.kill(pid, 'SIGKILL');
    await untilReplaced(pid);
    const before = callers.acknowledged;
    await expect.poll(() => callers.acknowledged, BACK_WITHIN).toBeGreaterThan(before + WRITERS);
    await callers.end();
    expect(callers.oldReads).toEqual([]);
  });

  test('a worker that is asked to end drains, and no call fails (J7)', async () => {
    const callers = await Callers.start(bed.api);
    await expect.poll(() => callers.acknowledged, BACK_WITHIN).toBeGreaterThan(WRITERS);
    const { pid } = first();
    process.kill(pid, 'SIGTERM');
    await untilReplaced(pid);
    const before = callers.acknowledged;
    await expect.poll(() => callers.acknowledged, BACK_WITHIN).toBeGreaterThan(before + WRITERS);
    await callers.end();
    expect([callers.faults, callers.oldReads]).toEqual([[], []]);
  });

  test('SIGTERM turns readiness first, serves meanwhile, and ends all (J11)', async () => {
    const id = newId();
    expect((await bed.api.put('account', id, { owner: 'Ada' })).status).toBe(201);
    const pids = workers().map(({ pid }) => pid);
    const stopping = bed.instance.stop();
    await expect
      .poll(async () => (await bed.anonymous.call('GET', '/readyz')).status, { interval: 5 })
      .toBe(503);
    expect((await bed.api.get('account', id)).status).toBe(200);
    const { code, tookMs, leftBehind } = await stopping;
    expect([code, leftBehind]).toEqual([0, []]);
    expect(tookMs).toBeLessThan(15_000);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    await bed.instance.start();
    await bed.reconnect();
  });
});

test('coordinators of two workers join, are drained and are killed while callers write: nothing acknowledged is lost, no read is old (J7)', async () => {
  const auth = { tokens: { service: 'service-token-of-all-coordinators' } };
  const options = { config: { ...servers.config, auth }, workers: WORKERS };
  const staying = await startInstance(options);
  const api = new ApiClient(staying.url, auth.tokens.service);
  const callers = await Callers.start(api);
  const untilMore = async (): Promise<void> => {
    const before = callers.acknowledged;
    await expect.poll(() => callers.acknowledged, BACK_WITHIN).toBeGreaterThan(before + WRITERS);
  };
  await untilMore();
  const joining = await startInstance(options);
  const others = await Callers.start(new ApiClient(joining.url, auth.tokens.service), callers);
  await untilMore();
  expect((await joining.stop()).code).toBe(0);
  await others.endCalls();
  await untilMore();
  await joining.start();
  const more = await Callers.start(new ApiClient(joining.url, auth.tokens.service), callers);
  await untilMore();
  await joining.kill();
  await more.endCalls();
  await untilMore();
  await callers.end();
  expect([callers.oldReads, others.oldReads, more.oldReads]).toEqual([[], [], []]);
  await api.close();
  await joining.dispose();
  await staying.dispose();
});

test('a worker that cannot start fails the start with its cause (J8)', async () => {
  // With peers, worker 2 listens on the second port after the common one.
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP port');
  const port = address.port - 2;
  const routing = { peers: ['http://127.0.0.1:1'] };
  const starting = startInstance({
    config: { ...servers.config, routing },
    ...{ port, workers: WORKERS },
  });
  await expect(starting).rejects.toThrow(/EADDRINUSE/);
  taken.close();
});
