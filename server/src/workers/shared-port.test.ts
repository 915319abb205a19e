import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type ConnectionTaker, SharedPort } from './shared-port.ts';

/** A worker that takes a connection when the test says so. */
class Taker implements ConnectionTaker {
  readonly got: Socket[] = [];
  #taken: (() => void)[] = [];

  hand(socket: Socket, taken: () => void): void {
    this.got.push(socket);
    this.#taken.push(taken);
  }

  takes(): void {
    for (const taken of this.#taken.splice(0)) taken();
  }
}

const clients: Socket[] = [];
let port: SharedPort;

async function listening(): Promise<SharedPort> {
  port = new SharedPort();
  await port.listen({ host: '127.0.0.1', port: 0 });
  return port;
}

async function call(): Promise<Socket> {
  const client = connect((port.server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  clients.push(client);
  await once(client, 'connect');
  return client;
}

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  port.server.close();
  port.end();
});

describe('the port of several workers', () => {
  it('hands connections out in turn', async () => {
    const [one, two] = [new Taker(), new Taker()];
    await listening();
    port.add(one);
    port.add(two);
    for (let count = 1; count <= 6; count++) {
      await call();
      await expect.poll(() => one.got.length + two.got.length).toBe(count);
      one.takes();
      two.takes();
    }
    expect([one.got.length, two.got.length]).toEqual([3, 3]);
  });

  it('gives a worker that hangs no second connection (J10)', async () => {
    const [hanging, sound] = [new Taker(), new Taker()];
    await listening();
    port.add(hanging);
    port.add(sound);
    for (let count = 1; count <= 8; count++) {
      await call();
      await expect.poll(() => hanging.got.length + sound.got.length).toBe(count);
      sound.takes();
    }
    expect(hanging.got).toHaveLength(1);
  });

  it('keeps connections until a worker is there', async () => {
    const late = new Taker();
    await listening();
    const client = await call();
    client.write('GET');
    port.add(late);
    await expect.poll(() => late.got.length).toBe(1);
    const [socket] = late.got;
    socket?.resume();
    const [bytes] = (await once(socket ?? client, 'data')) as [Buffer];
    expect(bytes.toString()).toBe('GET');
  });

  it('gives nothing to a worker that was removed, though it takes its last connection only then', async () => {
    const [gone, there] = [new Taker(), new Taker()];
    await listening();
    port.add(gone);
    await call();
    await expect.poll(() => gone.got.length).toBe(1);
    port.remove(gone);
    gone.takes();
    port.add(there);
    await call();
    await expect.poll(() => there.got.length).toBe(1);
    expect(gone.got).toHaveLength(1);
  });
});
