/**
 * The clusters that use a database of a Redis server, as their coordinators say there. The list has their names; the
 * word of each stands beside it, and expires where it is not renewed. Commands that every account has anyway.
 */
import { z } from 'zod';
import { isScalarType, type AnnouncedCluster } from '../domain/index.ts';
import { lookAtRedis } from './redis-facts.ts';
import sayScript from './scripts/say-cluster.lua?raw';

const LIST = 'lockstep:clusters';
const MAX_TEXT = 4_096;
const MAX_RESOURCES = 20_000;

const text = z.string().max(MAX_TEXT);
const template = z.object({
  text,
  columns: z.record(
    text,
    z.object({
      // A type that only a newer version knows may have any text.
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

/** Who says it: a coordinator, and the cluster that it is of. */
export interface Speaker {
  cluster: string;
  instance: string;
}

/** What another coordinator says, as it stands there. */
export interface Said extends Speaker {
  word: string;
}

const nameOf = ({ cluster: own, instance }: Speaker): string => `${own}/${instance}`;

/**
 * Says what a coordinator uses there, for `ttlMs`; null takes it away.
 * @returns what all others say
 * @throws the driver's error where the server does not answer or refuses
 */
export async function sayCluster(
  url: string,
  speaker: Speaker,
  word: string | null,
  ttlMs: number,
): Promise<Said[]> {
  return lookAtRedis(url, async (client) => {
    const args = [nameOf(speaker), word ?? '', ttlMs];
    const answer = await client.eval(sayScript, 1, LIST, ...args);
    const texts = Array.isArray(answer) ? answer.map(String) : [];
    return texts.flatMap((name, index) =>
      index % 2 === 0 ? [saidBy(name, texts[index + 1] ?? '')] : [],
    );
  });
}

/**
 * What all coordinators say there. Changes nothing.
 * @throws the driver's error
 */
export async function saidClusters(url: string): Promise<Said[]> {
  return lookAtRedis(url, async (client) => {
    const names = ((await client.get(LIST)) ?? '').split('\n').filter((name) => name !== '');
    const words = await Promise.all(names.map((name) => client.get(`${LIST}:${name}`)));
    return names.flatMap((name, index) => {
      const word = words[index] ?? null;
      return word === null ? [] : [saidBy(name, word)];
    });
  });
}

function saidBy(name: string, word: string): Said {
  const end = name.indexOf('/');
  return { cluster: name.slice(0, end), instance: name.slice(end + 1), word };
}

/** Null where the word is none. */
export function parsedCluster(word: string): AnnouncedCluster | null {
  try {
    return cluster.parse(JSON.parse(word));
  } catch {
    return null;
  }
}

/** Whether the coordinator stood in the list of its own database when it said so. */
export function isListedInWord(word: string): boolean {
  try {
    return listed.parse(JSON.parse(word)).isListed;
  } catch {
    return false;
  }
}
