import type { Call } from '@lockstep/checkers';
import type { Request } from './endpoint.ts';
import type { MarkedWrite } from './ledger.ts';

/** A write as a coordinator is asked for it; the row keeps its mark. */
export function requestOf(
  { resource, id }: Omit<MarkedWrite, 'endings'>,
  call: Call,
  mark: string,
  idempotencyKey: string | null,
): Request {
  const headers: Record<string, string> =
    idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey };
  switch (call.op) {
    case 'write':
      return { method: 'PUT', resource, id, headers, body: { n: call.value, writer: mark } };
    case 'cas':
      headers['if-match'] = `"${call.ifMatch ?? 0}"`;
      return { method: 'PUT', resource, id, headers, body: { n: call.value, writer: mark } };
    case 'increment':
      return {
        method: 'PATCH',
        resource,
        id,
        headers,
        body: { $inc: { n: call.by }, writer: mark },
      };
    case 'delete':
      return { method: 'DELETE', resource, id, headers };
    case 'read':
    case 'cache-read':
      throw new TypeError(`${call.op} changes nothing`);
  }
}
