import { Redis } from 'ioredis';
import { startRedis } from '@lockstep/testkit/servers';
import type { Servers } from '../servers.ts';

/** A server of Redis of the kit's own that takes the place of the coordinators' cache. */
export interface OwnServer {
  /** With the credentials and the database of the coordinators' cache. */
  url: string;
  port: number;
  redis: Redis;
  stop(): Promise<void>;
}

/**
 * Starts one, with an empty database.
 * @param id what its key `lockstep:server` holds; `same`: what the coordinators' cache holds; null: it has none
 */
export async function copyOfCache(
  { addresses, redis: cache }: Servers,
  { id }: { id: string | null },
): Promise<OwnServer> {
  const original = new URL(addresses.redis);
  const password = decodeURIComponent(original.password);
  const server = await startRedis({
    args: [
      // Replicas are synchronised at once.
      ...['--repl-diskless-sync-delay', '0'],
      ...(password === '' ? [] : ['--masterauth', password]),
    ],
    ...(password === '' ? {} : { password }),
  });
  const url = new URL(original);
  url.hostname = '127.0.0.1';
  url.port = String(server.port);
  const admin = new Redis(server.url);
  const user = decodeURIComponent(original.username);
  if (user !== '' && user !== 'default')
    await admin.call('ACL', ['SETUSER', user, 'on', `>${password}`, '~*', '&*', '+@all']);
  admin.disconnect();
  const redis = new Redis(url.href);
  redis.on('error', () => undefined); // the commands fail too
  const serverId = id === 'same' ? await cache.get('lockstep:server') : id;
  if (serverId !== null) await redis.set('lockstep:server', serverId);
  return {
    ...{ url: url.href, port: server.port, redis },
    stop: async () => {
      redis.disconnect();
      await server.stop();
    },
  };
}
