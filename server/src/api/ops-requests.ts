import { DRIFT_CLASSES, DRIFT_KINDS } from '@lockstep/shared';
import { z } from 'zod';

const MAX_LIST = 500;
const limit = z.coerce.number().int().min(1).max(MAX_LIST).default(50);
const id = z.string().min(1).max(64);
const resource = z.string().min(1).max(63);

export const runsQuery = z.strictObject({ resource: resource.optional(), limit });
export const deadQuery = z.strictObject({ limit });
export const findingsQuery = z.strictObject({
  resource: resource.optional(),
  class: z.enum(DRIFT_CLASSES).optional(),
  status: z.enum(['open', 'repaired', 'failed', 'superseded']).optional(),
  run: id.optional(),
  limit,
  before: id.optional(),
});
export const auditRequest = z.strictObject({
  resource,
  sample: z.int().min(1).max(10_000).optional(),
  repair: z.boolean().optional(),
});
export const refreshRequest = z.strictObject({ resource });
export const sweepRequest = z.strictObject({ resource: resource.optional() });
export const repairRequest = z.strictObject({ rule: z.enum(['delete', 'refresh']) });
export const deadLetterRequest = z.strictObject({ action: z.enum(['retry', 'discard']) });
export const driftRequest = z.strictObject({
  resource,
  count: z.int().min(1).max(100),
  kind: z.enum(DRIFT_KINDS).optional(),
});
