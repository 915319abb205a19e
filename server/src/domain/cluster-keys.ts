/**
 * Which keys two clusters on one Redis have in common. Clusters are those of different databases; each tells the others
 * what it needs to be compared with, and no more. Pure.
 */
import type { FieldFault } from '@lockstep/shared';
import { commonKey } from './cache-key-faults.ts';
import { CacheKeyTemplate } from './cache-key.ts';
import type { Column, ScalarType } from './column.ts';
import { rowsName } from './key.ts';
import { isScalarType, languagesOf } from './part-language.ts';
import { isCached, isRefreshed } from './policy-rules.ts';
import type { Resource } from './resource.ts';

/** What a column's values can be in a cache key. */
export interface ToldColumn {
  type: ScalarType;
  /** The least value of a whole number, as digits; null where there is no bound. */
  min: string | null;
}

export interface ToldTemplate {
  text: string;
  columns: Readonly<Record<string, ToldColumn>>;
}

export interface ToldResource {
  name: string;
  /** The name in its locks. */
  rows: string;
  isRefreshed: boolean;
  /** Null where it is not cached. */
  cacheKey: ToldTemplate | null;
  invalidates: readonly ToldTemplate[];
}

/** One coordinator of a cluster, as it tells of itself. */
export interface ToldCluster {
  /** Where its database is, without credentials. */
  name: string;
  resources: readonly ToldResource[];
}

/** How long after its end a coordinator that was killed still counts. */
export const CLUSTER_EXPIRY_MS = 30_000;

const MEND = `another Redis database or server; one that has ended is forgotten within ${CLUSTER_EXPIRY_MS / 1000} s`;

export function toldResource(resource: Resource): ToldResource {
  const { name, cacheKey, columns, keyColumns, invalidates } = resource;
  const told = ({ text, columns: names }: CacheKeyTemplate): ToldTemplate => {
    const find = (wanted: string): Column | undefined =>
      [...keyColumns, ...columns].find((column) => column.name === wanted);
    return {
      text,
      columns: Object.fromEntries(names.map((each) => [each, toldColumn(find(each))])),
    };
  };
  return {
    name,
    rows: rowsName(resource),
    isRefreshed: isRefreshed(resource),
    cacheKey: isCached(resource) ? told(cacheKey) : null,
    invalidates: invalidates.map(told),
  };
}

function toldColumn(column: Column | undefined): ToldColumn {
  const type = column?.type ?? 'other';
  const min = column?.range?.min;
  return { type: isScalarType(type) ? type : 'other', min: min === undefined ? null : String(min) };
}

/**
 * What of the resources must not stand beside another cluster's on one cache: templates that can make the same key,
 * and tables that are refreshed under one name. Two `invalidates` templates may have keys in common: both only delete.
 */
export function sharedCacheFaults(
  resources: readonly ToldResource[],
  other: ToldCluster,
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

/** Names in locks that both have. */
export function sharedLockNames(resources: readonly ToldResource[], other: ToldCluster): string[] {
  const theirs = new Set(other.resources.map(({ rows }) => rows));
  return [...new Set(resources.map(({ rows }) => rows))].filter((name) => theirs.has(name));
}

interface UsedTemplate {
  path: string;
  resource: string;
  template: CacheKeyTemplate;
  /** It names entries, and not only what is deleted. */
  isEntry: boolean;
}

function usedTemplates(resources: readonly ToldResource[]): UsedTemplate[] {
  return resources.flatMap(({ name, cacheKey, invalidates }) => {
    const used = (told: ToldTemplate, field: string, isEntry: boolean): UsedTemplate[] => {
      const template = parsed(told);
      const path = `resources.${name}.${field}`;
      return template === null ? [] : [{ path, resource: name, template, isEntry }];
    };
    return [
      ...(cacheKey === null ? [] : used(cacheKey, 'cacheKey', true)),
      ...invalidates.flatMap((told) => used(told, 'invalidates', false)),
    ];
  });
}

/** Null for a text of another cluster that is no template. */
function parsed({ text, columns }: ToldTemplate): CacheKeyTemplate | null {
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
