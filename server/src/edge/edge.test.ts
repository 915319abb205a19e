import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createRefusals } from '../api/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import { createEdge, type EdgeBounds } from './index.ts';
import { RawClient } from '@lockstep/testkit/raw-client';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const runtime = systemRuntime(quiet);
const HOST = 'Host: here.test';
const MEBIBYTE = 1024 * 1024;

const servers: Server[] = [];
const clients: RawClient[] = [];
/** Requests that reached the API, as `METHOD target body-length`. */
let reached: string[] = [];
let held: (() => void)[] = [];

afterEach(async () => {
  reached = [];
  held = [];
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Echoes what it was asked; `/held` waits for `held`, `/large` answers 4 MiB. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  let length = 0;
  request.on('data', (chunk: Buffer) => (length += chunk.length));
  request.on('end', () => {
    reached.push(`${request.method} ${request.url} ${length}`);
    const { host, upgrade, connection, 'http2-settings': settings } = request.headers;
    const body = JSON.stringify({ length, host, upgrade, connection, settings });
    const text = request.url === '/large' ? 'x'.repeat(4 * MEBIBYTE) : body;
    const answer = (): void => {
      response.writeHead(200, { 'Content-Length': Buffer.byteLength(text) });
      response.end(text);
    };
    if (request.url === '/held') held.push(answer);
    else answer();
  });
  request.on('error', () => undefined);
}

async function start(bounds: Partial<EdgeBounds> = {}): Promise<number> {
  const server = createEdge({
    api: echo,
    live: {
      path: '/live/',
      request: (_request, response) => void response.writeHead(200).end(),
      upgrade: (_request, socket) => {
        socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
      },
    },
    ...createRefusals(runtime),
    bounds: { connections: 100, unsentBytes: 64 * MEBIBYTE, bodyBytes: MEBIBYTE, ...bounds },
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function open(port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  clients.push(client);
  return client;
}

async function ask(port: number, ...head: string[]): Promise<{ status: number; body: object }> {
  const client = await open(port);
  client.send(...head, '', '');
  const answer = await client.answer();
  if (answer === null) throw new Error('The connection ended without an answer');
  return { status: answer.status, body: JSON.parse(answer.body || '{}') as object };
}

async function untilHeld(count: number): Promise<void> {
  while (held.length < count) await runtime.timers.sleep(1);
}

describe('the head of a request', () => {
  it('with more lines than are looked at is refused, and no condition behind them is passed over', async () => {
    const port = await start();
    const lines = Array.from({ length: 2_100 }, (_, index) => `a${index}: b`);
    const { status, body } = await ask(port, 'PUT /x HTTP/1.1', HOST, ...lines, 'If-Match: "1"');
    expect(status).toBe(431);
    expect(body).toMatchObject({ code: 'HEADERS_TOO_LARGE', outcome: 'not_applied' });
    expect(reached).toEqual([]);
  });

  it('that is too long is answered with a problem document', async () => {
    const port = await start();
    const { status, body } = await ask(port, 'GET / HTTP/1.1', HOST, `a: ${'b'.repeat(40_000)}`);
    expect(status).toBe(431);
    expect(body).toMatchObject({ code: 'HEADERS_TOO_LARGE' });
  });

  it.each([
    ['Host: here.test', 'Host: there.test'],
    ['If-Match: "1"', 'if-match: "2"'],
    ['Idempotency-Key: a', 'Idempotency-Key: b'],
    ['Lockstep-Lease: a~b', 'Lockstep-Lease: a~c'],
    ['Lockstep-Timeout: 1', 'Lockstep-Timeout: 1'],
    ['Authorization: Bearer a', 'Authorization: Bearer b'],
    ['Content-Type: application/json', 'Content-Type: text/plain'],
    ['Content-Length: 0', 'Content-Length: 0'],
    ['Lockstep-Token: a', 'LOCKSTEP-TOKEN: b'],
  ])('that names %s and %s is refused', async (one, other) => {
    const port = await start();
    const host = one.startsWith('Host') ? [] : [HOST];
    const { status, body } = await ask(port, 'PUT /x HTTP/1.1', ...host, one, other);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'MALFORMED' });
    expect(reached).toEqual([]);
  });

  it('may name headers twice that are lists', async () => {
    const port = await start();
    const lines = [
      'Accept: a/b',
      'Accept: c/d',
      'X-Forwarded-For: 1.1.1.1',
      'X-Forwarded-For: 2.2.2.2',
    ];
    expect((await ask(port, 'GET /x HTTP/1.1', HOST, ...lines)).status).toBe(200);
  });

  it.each([
    [['GET / HTTP/1.1']],
    [['GET / HTTP/1.1', 'Host: a b']],
    [['GET / HTTP/1.1', 'Host: a/b']],
    [['GET x HTTP/1.1', HOST]],
    [['GET //#x HTTP/1.1', HOST]],
    [['PUT /v1/resources/account/a#b HTTP/1.1', HOST]],
    [['GET http://here.test/#x HTTP/1.1', HOST]],
    [['GET http:// HTTP/1.1', HOST]],
    [['GET ftp://here.test/ HTTP/1.1', HOST]],
    [['GET http://a@b/ HTTP/1.1', HOST]],
    [['GET / HTTP/1.1', HOST, 'If-Match : "1"']],
    [['GET / HTTP/1.1', HOST, 'a: b', ' folded']],
    [['GET / HTTP/1.1', HOST, 'a: b\0c']],
    [['GET / HTTP/1.1', HOST, 'Transfer-Encoding: chunked', 'Content-Length: 3']],
    [['GET / HTTP/9.9', HOST]],
    [['NOTHING']],
  ])('that RFC 9112 does not allow is refused: %j', async (head) => {
    const port = await start();
    const { status, body } = await ask(port, ...head);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'MALFORMED' });
    expect(reached).toEqual([]);
  });

  it('may name its target in absolute form, whose host is then the host', async () => {
    const port = await start();
    const { body } = await ask(port, 'GET http://there.test:1/v1/x?y=1 HTTP/1.1', HOST);
    expect(reached).toEqual(['GET /v1/x?y=1 0']);
    expect(body).toMatchObject({ host: 'there.test:1' });
  });

  it('that asks for a tunnel is refused', async () => {
    const port = await start();
    expect((await ask(port, 'CONNECT there.test:1 HTTP/1.1', HOST)).status).toBe(405);
  });
});

const H2C = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAEAAEAAAAI'];

describe('a wish for another protocol', () => {
  it.each(['GET', 'PUT', 'PATCH', 'DELETE', 'POST', 'HEAD', 'OPTIONS'])(
    'that is not the live stream’s leaves a %s an ordinary request',
    async (method) => {
      const port = await start();
      const client = await open(port);
      client.send(`${method} /x HTTP/1.1`, HOST, ...H2C, '', '');
      client.send('GET /y HTTP/1.1', HOST, '', '');
      while (reached.length < 2) await runtime.timers.sleep(1);
      expect(reached).toEqual([`${method} /x 0`, 'GET /y 0']);
    },
  );

  it('does not reach the API, and the rest of `Connection` does', async () => {
    const port = await start();
    const head = ['Connection: keep-alive, Upgrade, HTTP2-Settings', ...H2C.slice(1)];
    const { body } = await ask(port, 'GET /x HTTP/1.1', HOST, ...head);
    expect(body).toMatchObject({ connection: 'keep-alive' });
    expect(body).not.toHaveProperty('upgrade');
    expect(body).not.toHaveProperty('settings');
  });

  it('does not cost a body of 100 kB a byte, in whatever pieces it comes, and the connection goes on', async () => {
    const port = await start();
    const client = await open(port);
    const body = 'x'.repeat(100_000);
    for (let round = 0; round < 3; round += 1) {
      client.send('PUT /x HTTP/1.1', HOST, ...H2C, 'Content-Length: 100000', '', '');
      for (let at = 0; at < body.length; at += 33_333) {
        client.send(body.slice(at, at + 33_333));
        await runtime.timers.sleep(2);
      }
      expect(JSON.parse((await client.answer())?.body ?? '')).toMatchObject({ length: 100_000 });
      client.send('POST /y HTTP/1.1', HOST, ...H2C, 'Transfer-Encoding: chunked', '', '');
      client.send('5', 'hello', '0', '', '');
      expect(JSON.parse((await client.answer())?.body ?? '')).toMatchObject({ length: 5 });
    }
  });

  it('is served after the requests before it on its connection', async () => {
    const port = await start();
    const client = await open(port);
    client.send(
      'GET /held HTTP/1.1',
      HOST,
      '',
      'PUT /x HTTP/1.1',
      HOST,
      ...H2C,
      'Content-Length: 2',
      '',
      'ab',
    );
    client.send('GET /y HTTP/1.1', HOST, '', '');
    await untilHeld(1);
    expect(reached).toEqual(['GET /held 0']);
    held[0]?.();
    for (let count = 0; count < 3; count += 1) expect((await client.answer())?.status).toBe(200);
    expect(reached).toEqual(['GET /held 0', 'PUT /x 2', 'GET /y 0']);
  });

  it('for a web socket is the live stream’s on its own path alone', async () => {
    const port = await start();
    const ws = ['Connection: Upgrade', 'Upgrade: websocket'];
    expect((await ask(port, 'GET /other HTTP/1.1', HOST, ...ws)).status).toBe(200);
    expect(reached).toEqual(['GET /other 0']);
    const client = await open(port);
    client.send('GET /live/?EIO=4 HTTP/1.1', HOST, ...ws, '', '');
    expect((await client.answer())?.status).toBe(101);
  });
});

describe('the requests of one connection', () => {
  it('are carried out one after another, however many come at once', async () => {
    const port = await start();
    const client = await open(port);
    const many = 500;
    const requests = Array.from({ length: many }, (_, index) =>
      [`GET /${index} HTTP/1.1`, HOST, '', ''].join('\r\n'),
    );
    client.send(['GET /held HTTP/1.1', HOST, '', ''].join('\r\n') + requests.join(''));
    await untilHeld(1);
    expect(reached).toHaveLength(1);
    held[0]?.();
    for (let count = 0; count <= many; count += 1) {
      expect((await client.answer())?.status).toBe(200);
    }
    expect(reached.slice(1)).toEqual(Array.from({ length: many }, (_, at) => `GET /${at} 0`));
  });

  it('are answered before the fault of what follows them is', async () => {
    const port = await start();
    const client = await open(port);
    client.send('PUT /held HTTP/1.1', HOST, 'Content-Length: 1', '', 'xGARBAGE', '', '');
    await untilHeld(1);
    held[0]?.();
    expect((await client.answer())?.status).toBe(200);
    expect((await client.answer())?.status).toBe(400);
    await client.closed();
  });
});

describe('bodies', () => {
  it('that are large are held for so many requests at a time; others are refused, and small ones are not', async () => {
    const port = await start({ bodiesBytes: 300_000, bodyBytes: 200_000 });
    const large = ['PUT /held HTTP/1.1', HOST, 'Content-Length: 100000', '', 'x'.repeat(100_000)];
    for (const count of [1, 2, 3]) {
      (await open(port)).send(...large);
      await untilHeld(count);
    }
    const { status, body } = await ask(port, 'PUT /x HTTP/1.1', HOST, 'Content-Length: 100000');
    expect([status, body]).toMatchObject([429, { code: 'RATE_LIMITED' }]);
    const pieces = await ask(port, 'PUT /x HTTP/1.1', HOST, 'Transfer-Encoding: chunked');
    expect(pieces.status).toBe(429);
    const small = await open(port);
    small.send('PUT /x HTTP/1.1', HOST, 'Content-Length: 10', '', '0123456789');
    expect((await small.answer())?.status).toBe(200);
    for (const answer of held.splice(0)) answer();
    const client = await open(port);
    await expect
      .poll(async () => {
        client.send('PUT /x HTTP/1.1', HOST, 'Content-Length: 100000', '', 'x'.repeat(100_000));
        return (await client.answer())?.status;
      })
      .toBe(200);
  });
});

describe('connections', () => {
  it('that have no request under way make room for one more than the bound', async () => {
    const port = await start({ connections: 4 });
    for (let count = 0; count < 30; count += 1) {
      expect((await ask(port, 'GET /x HTTP/1.1', HOST)).status).toBe(200);
    }
  });

  it('beyond the bound are told so where each of the others waits for an answer', async () => {
    const port = await start({ connections: 2 });
    for (const count of [1, 2]) {
      (await open(port)).send('GET /held HTTP/1.1', HOST, '', '');
      await untilHeld(count);
    }
    const { status, body } = await ask(port, 'GET /x HTTP/1.1', HOST);
    expect(status).toBe(429);
    expect(body).toMatchObject({ code: 'RATE_LIMITED', retryable: true });
    held.forEach((answer) => answer());
    expect((await ask(port, 'GET /x HTTP/1.1', HOST)).status).toBe(200);
  });

  it('whose answers nobody takes are cut where they leave more than the bound, and others are served', async () => {
    const port = await start({ unsentBytes: 16 * MEBIBYTE });
    const slow: RawClient[] = [];
    for (let count = 0; count < 12; count += 1) {
      const client = await open(port);
      client.socket.pause();
      client.send('GET /large HTTP/1.1', HOST, '', '');
      slow.push(client);
    }
    while (reached.length < 12) await runtime.timers.sleep(1);
    expect((await ask(port, 'GET /x HTTP/1.1', HOST)).status).toBe(200);
    let whole = 0;
    for (const client of slow) {
      client.socket.resume();
      if ((await client.answer()) !== null) whole += 1;
    }
    expect(whole).toBeGreaterThan(0);
    // How much of an answer the system takes in a reader's place is its own affair.
    expect(whole).toBeLessThan(slow.length);
  });

  it('that take nothing of an answer are cut after a while', async () => {
    const port = await start({ stallMs: 50 });
    const client = await open(port);
    client.socket.pause();
    client.send('GET /large HTTP/1.1', HOST, '', '');
    const server = servers[0];
    const count = (): Promise<number> =>
      new Promise((resolve) => server?.getConnections((_error, open) => resolve(open)));
    while (reached.length < 1) await runtime.timers.sleep(1);
    while ((await count()) > 0) await runtime.timers.sleep(5);
  });
});
