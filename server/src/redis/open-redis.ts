import { Redis, type RedisOptions } from 'ioredis';
import { redisTls } from '../tls/index.ts';
import { parseSentinelUrl, isSentinelUrl } from './server-url.ts';

const RETRY_MS = 250;

/** A class of clients: ioredis' own, or one that is built on it. */
interface ClientClass {
  new (options: RedisOptions): Redis;
  new (url: string, options: RedisOptions): Redis;
}

/**
 * A client of the server at `url`, or of the present master of a set of Sentinels. The only place of the server that
 * makes one. The master is looked for again at every reconnect, for as long as it takes.
 */
export function openRedis(
  url: string,
  options: RedisOptions = {},
  Client: ClientClass = Redis,
): Redis {
  if (isSentinelUrl(url)) return new Client({ ...ofSentinels(url, options), ...options });
  const { url: address, options: tls } = redisTls(url);
  return new Client(address, { ...tls, ...options });
}

function ofSentinels(url: string, { connectTimeout }: RedisOptions): RedisOptions {
  const { sentinels, ofSentinels, name, username, password, databaseNumber } =
    parseSentinelUrl(url);
  return {
    sentinels: sentinels.map(({ host, port }) => ({ host: withoutBrackets(host), port })),
    name,
    role: 'master',
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(ofSentinels.username === null ? {} : { sentinelUsername: ofSentinels.username }),
    ...(ofSentinels.password === null ? {} : { sentinelPassword: ofSentinels.password }),
    db: databaseNumber,
    sentinelRetryStrategy: () => RETRY_MS,
    ...(connectTimeout === undefined ? {} : { sentinelCommandTimeout: connectTimeout }),
    // Only Sentinels of the configuration get credentials.
    updateSentinels: false,
    // It ends a client for good if it closes a connection that is being opened. `MasterWatch` does its work.
    failoverDetector: false,
  };
}

/** Node connects to `::1`, not to `[::1]`. */
export const withoutBrackets = (host: string): string => host.replace(/^\[|\]$/g, '');
