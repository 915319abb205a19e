import type { EntryFormat, FieldFault } from '@lockstep/shared';
import {
  type AuditRule,
  CacheKeyTemplate,
  hasHeader,
  isRefreshed,
  isServedFromCache,
  isStrict,
  isUnderstood,
  placeholderOf,
  type RefreshRule,
} from '../domain/index.ts';
import type { ResourceConfig } from './config.ts';
import type { Groups, RawResource } from './schema.ts';

/** What the checks of one resource look at. */
type RawTable = Pick<RawResource, 'format' | 'level' | 'policy' | 'rollout'>;

const DEFAULT_REFRESH_MS = 300_000;
const DEFAULT_MAX_ROWS = 10_000;

/**
 * One resource with its defaults. Fields that its policy does not use are accepted and have no effect, so that a policy
 * can be changed without changing the rest.
 */
export function resolveResource(
  name: string,
  raw: RawResource,
  auditDefaults: Groups['audit'] | undefined,
  faults: FieldFault[],
): ResourceConfig {
  const path = `resources.${name}`;
  const cacheKey = raw.cacheKey ?? [name, ...raw.key.map(placeholderOf)].join(':');
  checkKeyTemplate(`${path}.cacheKey`, cacheKey, raw.key, faults);
  for (const [index, template] of raw.invalidates.entries()) {
    parseTemplate(`${path}.invalidates.${index}`, template, faults);
  }
  const missing = raw.key.filter(
    (column) => raw.columns !== undefined && !raw.columns.includes(column),
  );
  if (missing.length > 0) {
    faults.push({
      path: `${path}.columns`,
      message: `lack ${missing.join(', ')}; allowed: a list with every key column`,
    });
  }
  const format = formatAtStage(raw);
  checkFormat(path, { ...raw, format }, faults);
  checkLevel(path, { ...raw, format }, faults);
  return {
    name,
    table: raw.table,
    key: raw.key,
    ...(raw.columns === undefined ? {} : { columns: raw.columns }),
    cacheKey,
    ttlMs: raw.ttl,
    ttlJitter: raw.ttlJitter,
    negativeTtlMs: raw.negativeTtl,
    policy: raw.policy,
    onWrite: raw.onWrite,
    invalidates: raw.invalidates,
    audit: isServedFromCache({ ...raw, format })
      ? resolveAudit(path, raw.audit, auditDefaults, faults)
      : null,
    secondDeleteAfterMs: raw.secondDeleteAfter ?? null,
    refresh: isRefreshed(raw) ? resolveRefresh(path, raw.refresh, faults) : null,
    level: raw.level,
    format,
    rollout: raw.rollout,
  };
}

/** Entries that the service still fills are not Lockstep's to understand. */
const formatAtStage = ({ format, rollout }: RawTable): EntryFormat =>
  rollout === 'own' ? format : 'opaque';

/** Which policies work without a header, and which without understanding the values. */
function checkFormat(path: string, raw: RawTable, faults: FieldFault[]): void {
  const named =
    raw.rollout === 'own'
      ? { field: 'format', is: `is "${raw.format}"`, allowed: 'entry' }
      : { field: 'rollout', is: `is "${raw.rollout}"`, allowed: 'own' };
  const refuse = (why: string): void => {
    const message = `${named.is} with policy ${raw.policy}, ${why}; allowed: ${named.allowed}, or another policy`;
    faults.push({ path: `${path}.${named.field}`, message });
  };
  if (isStrict(raw) && !hasHeader(raw)) refuse('whose write intents need a header');
  if (isRefreshed(raw) && !isUnderstood(raw)) refuse('whose job would write the entries');
}

/** Level `local` needs a stream of what is invalidated, and values that may be a moment old. */
function checkLevel(path: string, raw: RawTable, faults: FieldFault[]): void {
  if (raw.level !== 'local') return;
  const refuse = (why: string, allowed: string): void => {
    faults.push({ path: `${path}.level`, message: `is "local" ${why}; allowed: ${allowed}` });
  };
  if (isStrict(raw))
    refuse(
      'with policy strict, whose readers must never see an old value, while memory may be a moment behind',
      'redis, or another policy such as delete-after-write',
    );
  if (!hasHeader(raw))
    refuse(
      `with entries that other programs replace without a word to the clients (${raw.rollout === 'own' ? `format ${raw.format}` : `rollout ${raw.rollout}`})`,
      'redis, or entries of Lockstep’s own (format entry, rollout own)',
    );
}

export function resolveAudit(
  path: string,
  raw: RawResource['audit'],
  defaults: Groups['audit'] | undefined,
  faults: FieldFault[],
): AuditRule | null {
  if (raw === undefined || defaults === undefined) return null;
  return {
    when: resolveWhen(`${path}.audit`, raw, defaults.every, faults),
    sample: raw.sample ?? defaults.sample,
    graceMs: raw.grace ?? defaults.grace,
    repair: raw.repair ?? defaults.repair,
  };
}

function resolveRefresh(
  path: string,
  raw: RawResource['refresh'],
  faults: FieldFault[],
): RefreshRule {
  return {
    when: resolveWhen(`${path}.refresh`, raw ?? {}, DEFAULT_REFRESH_MS, faults),
    maxRows: raw?.maxRows ?? DEFAULT_MAX_ROWS,
  };
}

function resolveWhen(
  path: string,
  { every, schedule }: { every?: number | undefined; schedule?: string | undefined },
  defaultMs: number,
  faults: FieldFault[],
): AuditRule['when'] {
  if (every !== undefined && schedule !== undefined) {
    faults.push({
      path: `${path}.schedule`,
      message: 'is set as well as every; allowed: one of the two',
    });
  }
  return schedule === undefined ? { everyMs: every ?? defaultMs } : { cron: schedule };
}

/** Checks that a resource's own template names every part of its key, once each. */
export function checkKeyTemplate(
  path: string,
  text: string,
  key: readonly string[],
  faults: FieldFault[],
): void {
  const template = parseTemplate(path, text, faults);
  if (template === null) return;
  const { columns } = template;
  const same = columns.length === key.length && key.every((column) => columns.includes(column));
  if (same) return;
  const wanted = key.map(placeholderOf).join(', ');
  faults.push({
    path,
    message: `names other columns than the key; allowed: exactly ${wanted}, once each`,
  });
}

function parseTemplate(path: string, text: string, faults: FieldFault[]): CacheKeyTemplate | null {
  try {
    return new CacheKeyTemplate(text);
  } catch (error) {
    const wrong = error instanceof Error ? error.message : String(error);
    faults.push({ path, message: `${wrong}; allowed: a template such as account:{id}` });
    return null;
  }
}
