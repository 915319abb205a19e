/**
 * The announcements of clusters in a database of a Redis server. One key lists the coordinators; each one's
 * announcement has a key of its own, and expires if it is not renewed. Needs only commands that every account of
 * Lockstep may use.
 */
import { z } from 'zod';
import { isScalarType, type AnnouncedCluster } from '../domain/index.ts';
import { isClusterUrl } from '../redis/index.ts';
import { lookAtRedis } from './redis-facts.ts';
import announceScript from './scripts/announce.lua?raw';

const LIST = 'lockstep:clusters';
/** On a Redis Cluster, the announcements are where the list is. */
const listAt = (url: string): string => (isClusterUrl(url) ? 'lockstep:{clusters}' : LIST);
const MAX_TEXT = 4_096;
const MAX_RESOURCES = 20_000;

const text = z.string().max(MAX_TEXT);
const template = z.object({
  text,
  columns: z.record(
    text,
    z.object({
      // A type that only a newer version knows counts as one that can have any text.
      type: text.transform((name) => (isScalarType(name) ? name : 'other')),
      min: z
        .string()
        .regex(/^-?\d{1,30}$/)
        .nullable(),
    }),
  ),
});
const cluster = z.object({
  name: text,
  resources: z
    .array(
      z.object({
        name: text,
        rows: text,
        isRefreshed: z.boolean(),
        cacheKey: template.nullable(),
        invalidates: z.array(template),
      }),
    )
    .max(MAX_RESOURCES),
});

const listed = z.object({ isListed: z.boolean() });

/** A coordinator and its cluster. */
export interface Announcer {
  cluster: string;
  instance: string;
}

/** Another coordinator's announcement. */
export interface Announcement extends Announcer {
  /** The JSON text of an `AnnouncedCluster`, if it is a valid one. */
  content: string;
}

const nameOf = ({ cluster: own, instance }: Announcer): string => `${own}/${instance}`;

/**
 * Stores a coordinator's announcement for `ttlMs`; null removes it.
 * @returns the announcements of all others
 * @throws the driver's error if the server does not answer or refuses
 */
export async function announce(
  url: string,
  announcer: Announcer,
  content: string | null,
  ttlMs: number,
): Promise<Announcement[]> {
  return lookAtRedis(url, async (client) => {
    const args = [nameOf(announcer), content ?? '', ttlMs];
    const answer = await client.eval(announceScript, 1, listAt(url), ...args);
    const texts = Array.isArray(answer) ? answer.map(String) : [];
    return texts.flatMap((name, index) =>
      index % 2 === 0 ? [announcementOf(name, texts[index + 1] ?? '')] : [],
    );
  });
}

/**
 * The announcements of all coordinators. Changes nothing.
 * @throws the driver's error
 */
export async function readAnnouncements(url: string): Promise<Announcement[]> {
  return lookAtRedis(url, async (client) => {
    const names = ((await client.get(listAt(url))) ?? '').split('\n').filter((name) => name !== '');
    const contents = await Promise.all(names.map((name) => client.get(`${listAt(url)}:${name}`)));
    return names.flatMap((name, index) => {
      const content = contents[index] ?? null;
      return content === null ? [] : [announcementOf(name, content)];
    });
  });
}

function announcementOf(name: string, content: string): Announcement {
  const end = name.indexOf('/');
  return { cluster: name.slice(0, end), instance: name.slice(end + 1), content };
}

/** Null if the content is not a valid announcement. */
export function parsedCluster(content: string): AnnouncedCluster | null {
  try {
    return cluster.parse(JSON.parse(content));
  } catch {
    return null;
  }
}

/** Whether the coordinator was listed in its own database when it announced. */
export function wasListed(content: string): boolean {
  try {
    return listed.parse(JSON.parse(content)).isListed;
  } catch {
    return false;
  }
}
