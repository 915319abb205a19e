/**
 * Which resources a term of following the log invalidates, and by which definition. Pure.
 *
 * A leader with another configuration passes over the changes of resources that it does not know, as if they were done.
 * So each term saves what it follows, and the next one sweeps what it follows itself and the last one did not.
 */
import { createHash } from 'node:crypto';
import { isJsonObject, parseJson } from '@lockstep/shared';
import { isCached, isDerived, type Resource } from '../domain/index.ts';

const DIGEST_LENGTH = 12;

/** As it is stored: a JSON object with a digest for each resource, by name. */
export function followedText(resources: Iterable<Resource>): string {
  return JSON.stringify(Object.fromEntries(followed(resources)));
}

/**
 * The resources that are followed now, and were not, or by another definition.
 * @param stored null if an earlier release followed the log: then nothing is known, and none are returned
 */
export function newlyFollowed(stored: string | null, resources: Iterable<Resource>): string[] {
  const before = stored === null ? null : parseJson(stored);
  if (!isJsonObject(before)) return [];
  const known = new Map(Object.entries(before));
  return followed(resources)
    .filter(([name, digest]) => known.get(name) !== digest)
    .map(([name]) => name);
}

const followed = (resources: Iterable<Resource>): [name: string, digest: string][] =>
  [...resources]
    .filter((resource) => isCached(resource) || resource.invalidates.length > 0)
    .map((resource) => [resource.name, digestOf(resource)]);

/** Of everything that decides which cache keys a change of a row concerns. */
function digestOf(resource: Resource): string {
  const dependsOn = isDerived(resource) ? resource.derivation.dependsOn : [];
  const facts = [
    resource.table,
    resource.schema ?? '',
    resource.keyColumns.map(({ name }) => name),
    resource.cacheKey.text,
    resource.cacheKey.escapesValues,
    resource.invalidates.map(({ text }) => text),
    dependsOn.map(({ table, cacheKey }) => [table, cacheKey.text]),
  ];
  return createHash('sha256')
    .update(JSON.stringify(facts))
    .digest('base64url')
    .slice(0, DIGEST_LENGTH);
}
