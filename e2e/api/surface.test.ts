import { statSync } from 'node:fs';
import { LIVE_EVENTS, type LiveEvents } from '@lockstep/shared';
import pg from 'pg';
import { io, type Socket } from 'socket.io-client';
import { afterEach, describe, expect, test } from 'vitest';
import { isAlive } from '@lockstep/testkit/processes/process-folder';
import { eventually } from '@lockstep/testkit/poll';
import { runtimeFilePath } from '@lockstep/testkit/instances/runtime-file';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

const bed = useInstance(() => ({ config: embeddedShop(), files: { 'shop.sql': SHOP_SQL.pg } }));

describe('runtime.json', () => {
  test('describes the instance, and only its owner can read it', () => {
    const { runtime, dataDir, pid } = bed.instance;
    expect(statSync(runtimeFilePath(dataDir)).mode & 0o777).toBe(0o600);
    expect(runtime).toMatchObject({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/?$/) as unknown,
      pid,
      databaseUrl: expect.stringMatching(/^postgres(ql)?:\/\//) as unknown,
      cacheUrl: expect.stringMatching(/^redis:\/\//) as unknown,
    });
    expect(runtime.lockUrls).toHaveLength(3);
    expect(new Set([...runtime.lockUrls, runtime.cacheUrl]).size).toBe(4);
    expect(runtime.adminToken.length).toBeGreaterThanOrEqual(20);
    expect(runtime.serviceToken).not.toBe(runtime.adminToken);
    expect(runtime.processes.length).toBeGreaterThanOrEqual(5);
    for (const process of runtime.processes) {
      expect(process.name).not.toBe('');
      expect(isAlive(process.pid), process.name).toBe(true);
    }
  });

  test('has the URLs of servers that need a password', async () => {
    for (const url of [bed.instance.runtime.cacheUrl, ...bed.instance.runtime.lockUrls]) {
      expect(new URL(url).password).not.toBe('');
    }
    expect(new URL(bed.instance.runtime.databaseUrl).password).not.toBe('');
    expect((await bed.behind.cache.config('GET', 'maxmemory-policy')).toString()).toMatch(
      /noeviction|volatile-/,
    );
  });
});

describe('the open pages', () => {
  test('liveness and readiness need no token', async () => {
    expect((await bed.anonymous.call('GET', '/livez')).status).toBe(200);
    expect((await bed.anonymous.call('GET', '/readyz')).status).toBe(200);
    const verbose = await bed.anonymous.call('GET', '/readyz?verbose');
    expect(verbose.status).toBe(200);
    expect(verbose.text).toMatch(/database/i);
    expect(verbose.text).toMatch(/cache/i);
    expect(verbose.text).toMatch(/lock/i);
    for (const secret of [
      bed.instance.runtime.adminToken,
      new URL(bed.instance.runtime.cacheUrl).password,
    ]) {
      expect(verbose.text).not.toContain(secret);
    }
  });

  test('the API document describes every path of the contract', async () => {
    const answer = await bed.anonymous.call('GET', '/openapi.json');
    expect(answer.status).toBe(200);
    const document = JSON.parse(answer.text) as { openapi: string; paths: Record<string, object> };
    expect(document.openapi).toMatch(/^3\./);
    const paths = Object.keys(document.paths);
    for (const path of [
      '/v1/resources/{resource}/{key}',
      '/v1/batch',
      '/v1/invalidations',
      '/livez',
      '/readyz',
    ]) {
      expect(paths).toContain(path);
    }
    expect(Object.keys(document.paths['/v1/resources/{resource}/{key}'] ?? {})).toEqual(
      expect.arrayContaining(['get', 'put', 'patch', 'delete']),
    );
  });

  test.each(['/docs', '/'])('%s is a page that may run its own scripts only', async (path) => {
    let answer = await bed.anonymous.call('GET', path);
    if ([301, 302, 307, 308].includes(answer.status)) {
      answer = await bed.anonymous.call(
        'GET',
        new URL(String(answer.headers.location), bed.instance.url).pathname,
      );
    }
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^text\/html/);
    expect(answer.headers['content-security-policy']).toMatch(/default-src|script-src/);
    expect(answer.headers['content-security-policy']).not.toMatch(
      /script-src[^;]*unsafe-(inline|eval)/,
    );
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    expect(answer.headers['x-powered-by']).toBeUndefined();
  });

  test('echoes the request id, or makes one if none was sent', async () => {
    const sent = await bed.api.get('account', newId(), '', {
      headers: { 'x-request-id': 'trace-42' },
    });
    expect(sent.headers['x-request-id']).toBe('trace-42');
    expect(sent.body.requestId).toBe('trace-42');
    const made = await bed.api.get('account', newId());
    expect(made.body.requestId).toBe(made.headers['x-request-id']);
  });
});

describe('/metrics', () => {
  test('is Prometheus text that counts what happened, and holds no key', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'Ada' });
    await bed.api.get('account', id);
    const answer = await bed.admin.call('GET', '/metrics');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^(text\/plain|application\/openmetrics-text)/);
    const series = answer.text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    for (const line of series) {
      expect(line).toMatch(
        /^[a-zA-Z_:][\w:]*(\{.*\})? (NaN|[+-]?(Inf|\d+(\.\d+)?(e[+-]?\d+)?))( \d+)?$/,
      );
    }
    expect(
      series.some((line) => /^lockstep_writes_total\{.*policy="strict".*\} [1-9]/.test(line)),
    ).toBe(true);
    for (const word of ['lock', 'outbox', 'audit', 'drift', 'intents', 'fenced', 'fill']) {
      expect(answer.text, word).toMatch(new RegExp(`^# TYPE lockstep_\\w*${word}`, 'm'));
    }
    expect(answer.text).not.toContain(String(id));
  });
});

describe('a strict write in flight', () => {
  test('holds its lock on the lock nodes, leaves an intent, and readers go to the database (W1, R3)', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'old' });
    const blocker = new pg.Client({ connectionString: bed.instance.runtime.databaseUrl });
    await blocker.connect();
    try {
      await blocker.query('BEGIN');
      await blocker.query('SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE', [id]);
      const write = bed.api.patch('account', id, { owner: 'new' });
      await eventually(async () =>
        expect((await bed.behind.entry(`account:${id}`))?.state).toBe('intent'),
      );
      expect(await bed.behind.cache.pttl(`account:${id}`)).toBe(-1);
      const held = await Promise.all(
        bed.behind.lockNodes.map((node) => node.pttl(`lockstep:lock:account:${id}`)),
      );
      expect(held.filter((ttlMs) => ttlMs > 0).length).toBeGreaterThanOrEqual(2);
      expect(Math.max(...held)).toBeLessThanOrEqual(2_000);
      const read = await bed.api.get('account', id);
      expect(read.body).toMatchObject({ source: 'primary', version: 1, value: { owner: 'old' } });
      await blocker.query('COMMIT');
      expect((await write).body).toMatchObject({ version: 2, cache: 'fresh' });
      await eventually(async () => {
        const left = await Promise.all(
          bed.behind.lockNodes.map((node) => node.exists(`lockstep:lock:account:${id}`)),
        );
        expect(left).toEqual([0, 0, 0]);
      });
    } finally {
      await blocker.end();
    }
  });
});

describe('the live stream', () => {
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.disconnect();
  });
  const connect = (auth: object): Socket => {
    const socket = io(`${bed.instance.url}/ops`, {
      path: '/live',
      auth,
      reconnection: false,
      forceNew: true,
    });
    sockets.push(socket);
    return socket;
  };

  test('sends a new socket every event at once, then again each second', async () => {
    await bed.api.put('account', newId(), { owner: 'Ada' });
    const socket = connect({ token: bed.instance.runtime.adminToken });
    const received = new Map<string, unknown[]>();
    socket.onAny((name: string, payload: unknown) => {
      received.set(name, [...(received.get(name) ?? []), payload]);
    });
    await eventually(
      () => expect([...received.keys()].toSorted()).toEqual([...LIVE_EVENTS].toSorted()),
      {
        withinMs: 3_000,
      },
    );
    for (const payloads of received.values())
      expect(payloads[0]).toHaveProperty('atMs', expect.any(Number));
    const first = <Name extends keyof LiveEvents>(name: Name): LiveEvents[Name] =>
      received.get(name)?.[0] as LiveEvents[Name];
    expect(
      first('nodes')
        .nodes.map((node) => node.kind)
        .toSorted(),
    ).toEqual(expect.arrayContaining(['cache', 'coordinator', 'database', 'lock', 'lock', 'lock']));
    expect(first('ttl').resources.map((each) => each.resource)).toContain('account');
    expect(first('outbox').deadLetters).toBe(0);
    await eventually(() => expect(received.get('metrics')?.length).toBeGreaterThanOrEqual(3));
  });

  test('shows a lock that is held, with its key and time left', async () => {
    const id = newId();
    await bed.api.put('account', id, { owner: 'Ada' });
    const socket = connect({ token: bed.instance.runtime.adminToken });
    const seen: LiveEvents['locks'][] = [];
    socket.on('locks', (event: LiveEvents['locks']) => seen.push(event));
    await eventually(() => expect(seen.length).toBeGreaterThan(0));
    const blocker = new pg.Client({ connectionString: bed.instance.runtime.databaseUrl });
    await blocker.connect();
    try {
      await blocker.query('BEGIN');
      await blocker.query('SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE', [id]);
      const held = (): LiveEvents['locks']['held'][number] | undefined =>
        seen.flatMap((event) => event.held).find((lock) => lock.key === String(id));
      await eventually(async () => {
        await bed.api.patch('account', id, { owner: 'Grace' }, { 'lockstep-timeout': '1000' });
        expect(held()).toBeDefined();
      });
      expect(held()).toMatchObject({ resource: 'account', purpose: 'write', ttlMs: 2_000 });
      expect(held()?.leftMs).toBeGreaterThan(0);
    } finally {
      await blocker.end();
    }
  });

  test.each([
    ['no token', () => ({})],
    ['a wrong token', () => ({ token: 'wrong' })],
    ['the service token', () => ({ token: bed.instance.runtime.serviceToken })],
  ])('is closed to %s', async (_who, auth) => {
    const socket = connect(auth());
    const events: string[] = [];
    socket.onAny((name: string) => events.push(name));
    const error = await new Promise<Error>((resolve, reject) => {
      socket.on('connect_error', resolve);
      socket.on('connect', () => reject(new Error('connected')));
    });
    expect(error.message).not.toBe('');
    expect(events).toEqual([]);
  });
});
