/**
 * The guide "take over a cache" as a team walks it: a service that keeps its own cache, on servers that Lockstep did not
 * start. At each step the service that nobody has changed runs on beside.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import type { ReloadReport, RolloutReport } from '@lockstep/shared';
import { eventually } from '@lockstep/testkit/poll';
import { repositoryPath } from '@lockstep/testkit/repository';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { useInstance } from '../support/shared-instance.ts';
import type { SqlClient } from '../support/shop.ts';
import { openSideDoor } from '../support/side-door.ts';

const BEFORE = repositoryPath('examples/orders-service/service.js');
const AFTER = repositoryPath('examples/orders-service/service-with-lockstep.js');

const TABLES = [
  `create table products (id int primary key, name varchar(100) not null, category varchar(100) not null, stock int not null)`,
  `create table product_orders (product_id int not null, quantity int not null)`,
];
const PRODUCTS = Array.from({ length: 20 }, (_, id) => `(${id}, 'product ${id}', 'tea', 1000)`);

/** The resource at each step of the guide. */
const STEPS = {
  shadow: { cacheKey: 'product:{id}', rollout: 'shadow' },
  invalidate: { cacheKey: 'product:{id}', rollout: 'invalidate' },
  own: { cacheKey: 'ls:product:{id}', rollout: 'own', invalidates: ['product:{id}'] },
};

/** A running service of the example. */
class Service {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(url: string, process: ChildProcess) {
    this.url = url;
    this.#process = process;
  }

  static async start(file: string, env: Record<string, string>): Promise<Service> {
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    const started = spawn(process.execPath, [file], {
      env: { ...process.env, ...env },
      stdio: [...stdio],
    });
    const [line] = (await once(started.stdout, 'data')) as [Buffer];
    const { url } = JSON.parse(line.toString()) as { url: string };
    return new Service(url, started);
  }

  async stock(id: number): Promise<number> {
    const response = await fetch(`${this.url}/products/${id}`);
    expect(response.status).toBe(200);
    return ((await response.json()) as { stock: number }).stock;
  }

  async post(path: string, body: object): Promise<number> {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    return (await fetch(`${this.url}${path}`, init)).status;
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  }
}

/** Customers of a service, until they are stopped. No call of theirs may fail. */
class Customers {
  readonly #service: Service;
  readonly #running: Promise<void>[];
  #isStopped = false;
  orders = 0;

  constructor(service: Service) {
    this.#service = service;
    this.#running = [3, 5, 7, 11].map((step) => this.#run(step));
  }

  async #run(step: number): Promise<void> {
    for (let at = 0; !this.#isStopped; at = (at + step) % PRODUCTS.length) {
      await this.#service.stock(at);
      expect(await this.#service.post('/orders', { product: at, quantity: 1 })).toBe(201);
      this.orders += 1;
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }
}

describe.each(['pg', 'mysql2'] satisfies SqlClient[])('an afternoon with %s', (client) => {
  let servers: ExternalServers | undefined;
  const running: { stop(): Promise<void> }[] = [];
  afterAll(() => servers?.stop());
  const bed = useInstance(async () => {
    servers = await startExternalServers(client);
    const { behind, config } = servers;
    const nobody = { url: '', pid: 0, adminToken: '', serviceToken: '', processes: [] };
    const door = openSideDoor({ ...behind, ...nobody });
    for (const table of TABLES) await door.sql(table);
    await door.sql(`insert into products values ${PRODUCTS.join(', ')}`);
    await door.close();
    return { config: { ...config, ...resourcesAt('shadow') }, behind };
  });
  afterAll(() => Promise.all(running.map((each) => each.stop())));

  const resourcesAt = (step: keyof typeof STEPS) => ({
    changeLog: { mode: 'on' },
    resources: { product: { table: 'products', key: ['id'], ...STEPS[step] } },
  });
  const goTo = async (step: keyof typeof STEPS): Promise<void> => {
    const config = { ...servers?.config, ...resourcesAt(step) };
    writeFileSync(bed.instance.configPath, JSON.stringify(config));
    const answer = await bed.admin.post('/v1/ops/reload', {});
    expect(answer.status, answer.text).toBe(200);
    expect((JSON.parse(answer.text) as ReloadReport).changed.length).toBeLessThanOrEqual(1);
  };
  const shadow = async (): Promise<RolloutReport> => {
    const { text } = await bed.admin.call('GET', '/v1/ops/rollout');
    const { shadow: reports } = JSON.parse(text) as { shadow: RolloutReport[] };
    const [report] = reports;
    if (report === undefined) throw new Error(text);
    return report;
  };
  const start = (file: string): Promise<Service> =>
    Service.start(file, {
      DATABASE_CLIENT: client,
      DATABASE_URL: servers?.connection ?? '',
      REDIS_URL: servers?.cache.url ?? '',
      LOCKSTEP_URL: bed.instance.url,
      LOCKSTEP_TOKEN: bed.instance.runtime.serviceToken,
    });
  /** Changes many rows by a statement that forgets the cache, and says whether each reader then sees it. */
  const restocked = async (service: Service): Promise<boolean[]> => {
    const before = await Promise.all(PRODUCTS.map((_, id) => service.stock(id)));
    expect(await service.post('/restock', { category: 'tea', quantity: 500 })).toBe(200);
    const isNew = (id: number) => async (): Promise<void> =>
      expect(await service.stock(id)).toBeGreaterThan((before[id] ?? 0) + 400);
    const settled = await Promise.allSettled(
      PRODUCTS.map((_, id) => eventually(isNew(id), { withinMs: 5_000 })),
    );
    return settled.map(({ status }) => status === 'fulfilled');
  };

  test('takes the cache over step by step, and no reader breaks', async () => {
    const old = await start(BEFORE);
    running.push(old);
    const quiet = await restocked(old);
    expect(quiet, 'the service alone').toContain(false);
    await eventually(async () => expect((await shadow()).staleNow).toBeGreaterThan(0));

    const customers = new Customers(old);
    await goTo('invalidate');
    expect(await restocked(old), 'invalidated by Lockstep').not.toContain(false);

    await goTo('own');
    const moved = await start(AFTER);
    running.push(moved);
    const others = new Customers(moved);
    expect(await restocked(moved), 'read through Lockstep').not.toContain(false);
    expect(await restocked(old), 'the service that has not moved yet').not.toContain(false);
    await Promise.all([customers.stop(), others.stop()]);
    expect(customers.orders).toBeGreaterThan(0);
    expect(others.orders).toBeGreaterThan(0);

    await goTo('invalidate');
    expect(await restocked(moved), 'taken back').not.toContain(false);
  });
});

test('no more than ten of the service’s lines change', () => {
  const [before, after] = [BEFORE, AFTER].map((file) => readFileSync(file, 'utf8').split('\n'));
  const without = (lines: string[] = [], others: string[] = []): string[] =>
    lines.filter((line) => !others.includes(line));
  expect(before).toHaveLength(61);
  expect(without(before, after).length).toBeLessThanOrEqual(10);
  expect(without(after, before).length).toBeLessThanOrEqual(10);
});
