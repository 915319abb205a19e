/** Measurements of a running instance from outside. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { request } from 'undici';

const LOOK_EVERY_MS = 100;

/** Value of a counter without labels. */
export async function counterOf(url: string, name: string): Promise<number> {
  const { body } = await request(`${url}/metrics`);
  const text = await body.text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
}

/** Resolves when the counter has reached `least`. Returns how long that took. */
export async function untilCounted(url: string, name: string, least: number): Promise<number> {
  const startMs = performance.now();
  while ((await counterOf(url, name)) < least) await sleep(LOOK_EVERY_MS);
  return performance.now() - startMs;
}

/** Memory of a process that is not shared, in MiB. */
export function residentMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** CPU time of a process since its start, in seconds. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Reports the moment of each write to a cache key with a prefix, as the cache reports it. */
export async function watchKeys(
  cacheUrl: string,
  prefix: string,
  onWritten: (cacheKey: string, atMs: number) => void,
): Promise<{ close(): void }> {
  const redis = new Redis(cacheUrl);
  await redis.config('SET', 'notify-keyspace-events', 'K$');
  const channel = '__keyspace@0__:';
  redis.on('pmessage', (_pattern: string, name: string) =>
    onWritten(name.slice(channel.length), performance.now()),
  );
  await redis.psubscribe(`${channel}${prefix}*`);
  return { close: () => redis.disconnect() };
}
