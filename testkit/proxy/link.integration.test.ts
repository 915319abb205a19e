import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startRedis } from '../servers/redis.ts';
import type { TestServer } from '../servers/test-server.ts';
import { eventually, timed } from '../poll.ts';
import { FaultLink } from './link.ts';

/** A server that sends everything back, and what it has seen of its connections. */
interface Echo {
  server: Server;
  port: number;
  received: Buffer[];
  /** Each chunk's size as it came. */
  sizes: number[];
  endings: ('fin' | 'rst')[];
}

let echo: Echo;
let link: FaultLink;
const clients: Socket[] = [];

beforeEach(async () => {
  echo = await startEcho();
  link = await FaultLink.open({ targetPort: echo.port, random: () => 0.5 });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await link.close();
  echo.server.close();
});

async function startEcho(): Promise<Echo> {
  const received: Buffer[] = [];
  const sizes: number[] = [];
  const endings: Echo['endings'] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    let fin = false;
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      received.push(bytes);
      sizes.push(bytes.length);
      socket.write(bytes);
    });
    socket.on('end', () => (fin = true));
    socket.on('close', () => endings.push(fin ? 'fin' : 'rst'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port, received, sizes, endings };
}

async function open(): Promise<Socket> {
  const client = connect({ host: '127.0.0.1', port: link.port, noDelay: true });
  client.on('error', () => undefined);
  clients.push(client);
  await once(client, 'connect');
  return client;
}

/** Sends, and resolves with the answer when it is whole. */
async function exchange(client: Socket, bytes: Buffer): Promise<Buffer> {
  const got: Buffer[] = [];
  const whole = new Promise<Buffer>((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      got.push(chunk);
      if (Buffer.concat(got).length < bytes.length) return;
      client.off('data', take);
      resolve(Buffer.concat(got));
    };
    client.on('data', take).once('close', () => reject(new Error('closed')));
  });
  client.write(bytes);
  return whole;
}

/** Unlike `once`, does not take a reset on the way for a failure. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => void socket.once('close', () => resolve()));

const seen = (): string => Buffer.concat(echo.received).toString();

/** Long enough that what is not held would have passed. */
const HELD_MS = 120;

describe('a link in fair weather', () => {
  test('passes a megabyte each way, byte for byte', async () => {
    const client = await open();
    const bytes = Buffer.from(Array.from({ length: 1 << 20 }, (_, index) => index % 251));
    expect((await exchange(client, bytes)).equals(bytes)).toBe(true);
  });

  test('forwards the end of a connection', async () => {
    const client = await open();
    client.resume().end('bye');
    await closed(client);
    await eventually(() => expect(echo.endings).toEqual(['fin']));
    expect(seen()).toBe('bye');
    await eventually(() => expect(link.connections).toBe(0));
  });

  test('forwards the reset of a client', async () => {
    const client = await open();
    await exchange(client, Buffer.from('hello'));
    client.resetAndDestroy();
    await eventually(() => expect(echo.endings).toEqual(['rst']));
  });
});

describe('a link in bad weather', () => {
  test.each(['up', 'down'] as const)('is late in one direction: %s', async (direction) => {
    const client = await open();
    await exchange(client, Buffer.from('warm'));
    link.set(direction, { latencyMs: 60, jitterMs: 40 });
    const { tookMs } = await timed(() => exchange(client, Buffer.from('late')));
    expect(tookMs).toBeGreaterThanOrEqual(79);
    link.heal();
    // On a machine with other work one may be late all the same, but not each of them.
    const took: number[] = [];
    for (let count = 0; count < 10; count++)
      took.push((await timed(() => exchange(client, Buffer.from('soon')))).tookMs);
    expect(Math.min(...took)).toBeLessThan(60);
  });

  test('keeps the order under jitter', async () => {
    const client = await open();
    let count = 0;
    link.set('up', { jitterMs: 10 });
    const words = Array.from({ length: 50 }, () => `word ${++count};`).join('');
    const answer = exchange(client, Buffer.from(words));
    expect((await answer).toString()).toBe(words);
  });

  test('limits the bandwidth', async () => {
    const client = await open();
    link.set('down', { bytesPerSecond: 10_000, slice: { bytes: 100, pauseMs: 0 } });
    const { result, tookMs } = await timed(() => exchange(client, Buffer.alloc(2_000, 'x')));
    expect(result.length).toBe(2_000);
    expect(tookMs).toBeGreaterThanOrEqual(180);
  });

  test('cuts data into slices, and loses nothing', async () => {
    const client = await open();
    link.set('up', { slice: { bytes: 3, pauseMs: 4 } });
    const words = 'a command that comes in little pieces';
    expect((await exchange(client, Buffer.from(words))).toString()).toBe(words);
    // A reader that is slow finds several slices at once.
    expect(echo.sizes.length).toBeGreaterThan(3);
  });

  test.each(['up', 'down'] as const)(
    'stalls %s: what was sent is held, and arrives when it heals',
    async (direction) => {
      const client = await open();
      await exchange(client, Buffer.from('before'));
      link.set(direction, { stalled: true });
      const answer = exchange(client, Buffer.from(' held'));
      if (direction === 'up') await sleep(HELD_MS);
      const passed = direction === 'up' ? 'before' : 'before held';
      await eventually(() => expect(seen()).toBe(passed));
      link.heal();
      expect((await answer).toString()).toBe(' held');
    },
  );

  test('delivers held data even if its sender has disconnected', async () => {
    const client = await open();
    link.set('up', { stalled: true });
    client.write('a late command');
    client.destroy();
    await sleep(HELD_MS);
    expect(seen()).toBe('');
    link.heal();
    await eventually(() => expect(seen()).toBe('a late command'));
    await eventually(() => expect(echo.endings).toHaveLength(1));
  });

  test('resets: both ends see it at once', async () => {
    const client = await open();
    await exchange(client, Buffer.from('hello'));
    const failed = once(client, 'error') as Promise<[NodeJS.ErrnoException]>;
    link.reset();
    expect((await failed)[0].code).toBe('ECONNRESET');
    await eventually(() => expect(echo.endings).toEqual(['rst']));
    expect((await exchange(await open(), Buffer.from('again'))).toString()).toBe('again');
  });

  test('hangs up: both ends see an orderly end', async () => {
    const client = await open();
    await exchange(client, Buffer.from('hello'));
    const ended = once(client, 'end');
    link.hangUp();
    await ended;
    await eventually(() => expect(echo.endings).toEqual(['fin']));
  });

  test('refuses new connections and leaves old ones alone', async () => {
    const old = await open();
    link.accept('refuse');
    const refused = connect({ host: '127.0.0.1', port: link.port });
    clients.push(refused);
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    expect((await exchange(old, Buffer.from('still'))).toString()).toBe('still');
  });

  test('is a black hole: accepts data and never answers, on old connections and new ones', async () => {
    const old = await open();
    await exchange(old, Buffer.from('before'));
    link.blackHole();
    const fresh = await open();
    fresh.write('nobody hears');
    const answer = exchange(old, Buffer.from(' after'));
    await sleep(HELD_MS);
    expect(seen()).toBe('before');
    const dropped = closed(fresh);
    link.heal();
    expect((await answer).toString()).toBe(' after');
    await dropped;
    expect(seen()).toBe('before after');
  });
});

describe('a link in front of a real Redis', () => {
  let redis: TestServer;
  let before: FaultLink;
  let client: Redis;

  beforeAll(async () => {
    redis = await startRedis();
    before = await FaultLink.open({ targetPort: redis.port });
    client = new Redis(`redis://127.0.0.1:${before.port}`, {
      commandTimeout: 10_000,
      maxRetriesPerRequest: 0,
      retryStrategy: () => 20,
      autoResendUnfulfilledCommands: false,
    });
    client.on('error', () => undefined);
  });

  afterAll(async () => {
    client.disconnect();
    await before.close();
    await redis.stop();
  });

  test('answers in slices and over a slow line', async () => {
    before.set('both', { slice: { bytes: 7, pauseMs: 0 }, latencyMs: 5 });
    const value = 'v'.repeat(500);
    expect(await client.set('sliced', value)).toBe('OK');
    expect(await client.get('sliced')).toBe(value);
    before.heal();
  });

  test('a command that timed out takes effect when the link heals', async () => {
    await client.set('counter', 0);
    const hasty = client.duplicate({ commandTimeout: 150 });
    await once(hasty, 'ready');
    before.set('up', { stalled: true });
    await expect(hasty.incr('counter')).rejects.toThrow(/timed out/);
    before.heal();
    await eventually(async () => expect(await client.get('counter')).toBe('1'));
    hasty.disconnect();
  });

  test('recovers from a reset by reconnecting', async () => {
    await client.ping();
    before.reset();
    await eventually(async () => expect(await client.ping()).toBe('PONG'));
  });
});
