/** `GET /v1/resources`: what a client needs to read entries from the cache by itself (docs/read-protocol.md). */
import type { Catalog, CatalogResource } from '@lockstep/shared';
import {
  entryOwner,
  invalidationStream,
  hasHeader,
  isComputed,
  isInvalidatedByOthers,
  isLocal,
  isQuery,
  isServedFromCache,
  isStrict,
  keyPartRule,
  type Resource,
  rowsName,
} from '../domain/index.ts';
import type { Answer } from './answer.ts';
import type { ApiOptions, OpsServices } from './ports.ts';

interface CatalogServices {
  options: Pick<ApiOptions, 'cacheFacts' | 'limits' | 'resources'> & {
    ops: Pick<OpsServices, 'isSwitching'>;
  };
}

export function answerCatalog({ options }: CatalogServices): Answer {
  const { cluster, hasReplicas } = options.cacheFacts;
  const { batchOperations, bodyBytes, transactionOperations } = options.limits;
  const catalog: Catalog = {
    cluster,
    cacheId: options.cacheFacts.cacheId(),
    hasReplicas,
    limits: { batchOperations, bodyBytes, transactionOperations },
    resources: [...options.resources.values()].map((resource) =>
      described(resource, cluster, options.ops.isSwitching(resource)),
    ),
  };
  return { status: 200, body: catalog };
}

function described(resource: Resource, cluster: string, isSwitching: boolean): CatalogResource {
  const { name, policy, format, keyColumns, cacheKey, shared } = resource;
  const { ttlMs, ttlJitter, negativeTtlMs } = resource;
  return {
    name,
    kind: kindOf(resource),
    policy,
    ...levelOf(resource, cluster),
    format,
    key: keyColumns.map((column) => ({
      ...{ name: column.name, type: column.type, text: keyPartRule(resource, column) },
    })),
    cacheKey: cacheKey.text,
    owner: entryOwner(cluster, resource),
    isReadable: isServedFromCache(resource) && hasHeader(resource) && !isSwitching,
    isStrict: isStrict(resource),
    isPositioned: hasHeader(resource) && isInvalidatedByOthers(resource),
    rows: rowsName(resource),
    ...(shared === undefined ? {} : { rowOrder: [...shared.order] }),
    ...(isComputed(resource) ? { life: { ttlMs, ttlJitter, negativeTtlMs } } : {}),
  };
}

const levelOf = (resource: Resource, cluster: string): Pick<CatalogResource, 'level' | 'stream'> =>
  isLocal(resource)
    ? { level: 'local', stream: invalidationStream(cluster, resource.name) }
    : { level: 'redis' };

const kindOf = (resource: Resource): CatalogResource['kind'] => {
  if (isComputed(resource)) return 'computed';
  return isQuery(resource) ? 'query' : 'rows';
};
