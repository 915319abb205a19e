/** Every HTTP call of the dashboard. Errors are `ApiError`, with the code of the problem document. */
import type {
  AuditReport,
  AuditRequest,
  AuditRunSummary,
  DeadLetter,
  DriftReport,
  DriftRequest,
  ErrorCode,
  Finding,
  FindingFilterName,
  KeyInspection,
  Problem,
  RefreshReport,
  RepairRule,
  ResourceSummary,
  Session,
} from '@lockstep/shared';
import { keyPath, type KeyRef } from './keys.ts';

/** `UNREACHABLE`: no answer came. `UNREADABLE`: one came that is not Lockstep's. */
export type ApiErrorCode = ErrorCode | 'UNREACHABLE' | 'UNREADABLE';

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  readonly requestId: string | null;

  constructor(code: ApiErrorCode, message: string, requestId: string | null, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.requestId = requestId;
  }
}

/** The filters of findings. One that is absent or empty does not filter. */
export type FindingFilter = Partial<Record<FindingFilterName | 'before', string>> & {
  limit: number;
};

interface Call {
  method?: 'GET' | 'POST';
  body?: unknown;
  signal?: AbortSignal | undefined;
}

let token: string | null = null;
let refused: () => void = () => undefined;

/** Sets the bearer token of all later calls; null sends none. */
export function useToken(value: string | null): void {
  token = value;
}

/** Sets what happens when a call is answered 401. */
export function onRefused(listener: () => void): void {
  refused = listener;
}

/** The folder that the dashboard is served from, with its final slash: `/` unless a proxy adds a path. */
export const basePath = (): string => new URL('./', location.href).pathname;

export const api = {
  session: (signal?: AbortSignal) => request<Session>('session', { signal }),
  resources: async (signal?: AbortSignal) =>
    (await request<{ resources: ResourceSummary[] }>('resources', { signal })).resources,
  runs: async (limit: number, resource: string | undefined, signal?: AbortSignal) =>
    (await request<{ runs: AuditRunSummary[] }>(`audits${query({ resource, limit })}`, { signal }))
      .runs,
  /** Resolves when the run has ended. */
  runAudit: (body: AuditRequest) => request<AuditReport>('audits', { method: 'POST', body }),
  findings: (filter: FindingFilter, signal?: AbortSignal) =>
    request<{ findings: Finding[]; next: string | null }>(`findings${query({ ...filter })}`, {
      signal,
    }),
  repairFinding: (id: string, rule: RepairRule) =>
    request<Finding>(`findings/${encodeURIComponent(id)}/repair`, {
      method: 'POST',
      body: { rule },
    }),
  inspectKey: (ref: KeyRef, signal?: AbortSignal) =>
    request<KeyInspection>(`keys/${encodeURIComponent(ref.resource)}/${keyPath(ref.key)}`, {
      signal,
    }),
  deadLetters: async (limit: number, signal?: AbortSignal) =>
    (await request<{ deadLetters: DeadLetter[] }>(`outbox/dead${query({ limit })}`, { signal }))
      .deadLetters,
  finishDeadLetter: (id: string, action: 'retry' | 'discard') =>
    request<{ id: string; action: string }>(`outbox/dead/${encodeURIComponent(id)}`, {
      method: 'POST',
      body: { action },
    }),
  /** Resolves when the run has ended. */
  refresh: (resource: string) =>
    request<RefreshReport>('refreshes', { method: 'POST', body: { resource } }),
  makeDrift: (body: DriftRequest) => request<DriftReport>('demo/drift', { method: 'POST', body }),
};

async function request<Answer>(path: string, call: Call): Promise<Answer> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (token !== null) headers['authorization'] = `Bearer ${token}`;
  if (call.body !== undefined) headers['content-type'] = 'application/json';
  const response = await send(`${basePath()}v1/ops/${path}`, {
    method: call.method ?? 'GET',
    headers,
    cache: 'no-store',
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    ...(call.signal ? { signal: call.signal } : {}),
  });
  if (!response.ok) {
    const error = await problemOf(response);
    if (error.code === 'UNAUTHENTICATED') refused();
    throw error;
  }
  try {
    return (await response.json()) as Answer;
  } catch (cause) {
    throw new ApiError('UNREADABLE', 'The answer is not JSON.', null, cause);
  }
}

async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError('UNREACHABLE', 'The coordinator does not answer.', null, cause);
  }
}

async function problemOf(response: Response): Promise<ApiError> {
  try {
    const problem = (await response.json()) as Partial<Problem>;
    if (typeof problem.code === 'string') {
      const faults = (problem.errors ?? []).map((fault) => `${fault.path}: ${fault.message}`);
      const text = [problem.detail ?? problem.title ?? problem.code, ...faults].join(' ');
      return new ApiError(problem.code, text, problem.requestId ?? null);
    }
  } catch {
    // Not a problem document, so a proxy answered. Only the status is known.
  }
  return new ApiError('UNREADABLE', `The answer was ${response.status}.`, null);
}

function query(values: Record<string, string | number | undefined>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== '') params.set(name, String(value));
  }
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}
