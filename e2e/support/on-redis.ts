import { Redis } from 'ioredis';

/** Asks a Redis server over a connection of its own, which is not opened again where it is lost. */
export async function onRedis<T>(url: string, ask: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    return await ask(client);
  } finally {
    client.disconnect();
  }
}
