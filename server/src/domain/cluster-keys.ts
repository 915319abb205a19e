/**
 * Which cache keys two clusters on one Redis have in common. Coordinators of one database are one cluster. Each cluster
 * announces its resources in Redis, as far as the others need them for this comparison. Pure.
 */
import type { FieldFault } from '@lockstep/shared';
import { commonKey } from './cache-key-faults.ts';
import { CacheKeyTemplate } from './cache-key.ts';
import type { Column, ScalarType } from './column.ts';
import { rowsName } from './key.ts';
import { isScalarType, languagesOf } from './part-language.ts';
import { isCached, isRefreshed } from './policy-rules.ts';
import type { Resource } from './resource.ts';

/** Which values a column can have in a cache key. */
export interface AnnouncedColumn {
  type: ScalarType;
  /** The least value of a whole number, as digits; null if it has no bound. */
  min: string | null;
}

export interface AnnouncedTemplate {
  text: string;
  columns: Readonly<Record<string, AnnouncedColumn>>;
}

export interface AnnouncedResource {
  name: string;
  /** The name in its locks. */
  rows: string;
  isRefreshed: boolean;
  /** Null if it is not cached. */
  cacheKey: AnnouncedTemplate | null;
  invalidates: readonly AnnouncedTemplate[];
}

/** What one coordinator announces about itself. */
export interface AnnouncedCluster {
  /** Where its database is, without credentials. */
  name: string;
  resources: readonly AnnouncedResource[];
}

/** How long the announcement of a coordinator lasts after it was killed. */
export const CLUSTER_EXPIRY_MS = 30_000;

const MEND = `another Redis database or server; one that has ended is forgotten within ${CLUSTER_EXPIRY_MS / 1000} s`;

export function announcedResource(resource: Resource): AnnouncedResource {
  const { name, cacheKey, columns, keyColumns, invalidates } = resource;
  const announced = ({ text, columns: names }: CacheKeyTemplate): AnnouncedTemplate => {
    const find = (wanted: string): Column | undefined =>
      [...keyColumns, ...columns].find((column) => column.name === wanted);
    return {
      text,
      columns: Object.fromEntries(names.map((each) => [each, announcedColumn(find(each))])),
    };
  };
  return {
    name,
    rows: rowsName(resource),
    isRefreshed: isRefreshed(resource),
    cacheKey: isCached(resource) ? announced(cacheKey) : null,
    invalidates: invalidates.map(announced),
  };
}

function announcedColumn(column: Column | undefined): AnnouncedColumn {
  const type = column?.type ?? 'other';
  const min = column?.range?.min;
  return { type: isScalarType(type) ? type : 'other', min: min === undefined ? null : String(min) };
}

/**
 * Why the resources cannot share a cache with those of another cluster: their templates can make the same key, or both
 * refresh a table under the same name. Two `invalidates` templates may have keys in common, since both only delete.
 */
export function sharedCacheFaults(
  resources: readonly AnnouncedResource[],
  other: AnnouncedCluster,
): FieldFault[] {
  const theirs = usedTemplates(other.resources);
  const faults = usedTemplates(resources).flatMap(
    (own) => collision(own, theirs, other.name) ?? [],
  );
  for (const { name, isRefreshed } of resources) {
    if (!isRefreshed) continue;
    if (!other.resources.some((each) => each.isRefreshed && each.name === name)) continue;
    const message = `is refresh, as that of resource ${name} of the cluster ${other.name}, which uses this cache too: each would remove the other's entries; allowed: another name of the resource, or ${MEND}`;
    faults.push({ path: `resources.${name}.policy`, message });
  }
  return faults;
}

/** The lock names that both clusters use. */
export function sharedLockNames(
  resources: readonly AnnouncedResource[],
  other: AnnouncedCluster,
): string[] {
  const theirs = new Set(other.resources.map(({ rows }) => rows));
  return [...new Set(resources.map(({ rows }) => rows))].filter((name) => theirs.has(name));
}

interface UsedTemplate {
  path: string;
  resource: string;
  template: CacheKeyTemplate;
  /** Whether it names entries, or only keys to delete. */
  isEntry: boolean;
}

function usedTemplates(resources: readonly AnnouncedResource[]): UsedTemplate[] {
  return resources.flatMap(({ name, cacheKey, invalidates }) => {
    const used = (
      announced: AnnouncedTemplate,
      field: string,
      isEntry: boolean,
    ): UsedTemplate[] => {
      const template = parsed(announced);
      const path = `resources.${name}.${field}`;
      return template === null ? [] : [{ path, resource: name, template, isEntry }];
    };
    return [
      ...(cacheKey === null ? [] : used(cacheKey, 'cacheKey', true)),
      ...invalidates.flatMap((each) => used(each, 'invalidates', false)),
    ];
  });
}

/** Null if the other cluster announced a text that is not a template. */
function parsed({ text, columns }: AnnouncedTemplate): CacheKeyTemplate | null {
  const described = Object.entries(columns).map(([name, { type, min }]) => {
    const range = min === null ? null : { min: BigInt(min), max: BigInt(min) };
    return { name, type, range };
  });
  try {
    return new CacheKeyTemplate(text, { languageOf: languagesOf(described) });
  } catch {
    return null;
  }
}

function collision(
  own: UsedTemplate,
  theirs: readonly UsedTemplate[],
  cluster: string,
): FieldFault | null {
  for (const { template, resource, isEntry } of theirs) {
    if (!own.isEntry && !isEntry) continue;
    const example = commonKey(own.template, template);
    if (example === null) continue;
    const { text } = own.template;
    const message = `${text} and ${template.text} of the cluster ${cluster} (its resource ${resource}), which uses this cache too, can both make ${JSON.stringify(example)}; allowed: a prefix of the cluster's own in the template, such as PREFIX:${text}, or ${MEND}`;
    return { path: own.path, message };
  }
  return null;
}
