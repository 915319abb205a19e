import { z } from 'zod';
import { readRuntimeFile, type RuntimeInfo } from '../embedded/index.ts';
import { CliFailure } from './cli-failure.ts';

const problemSchema = z.looseObject({ code: z.string(), detail: z.string() });
/** An audit of the greatest sample, with its pauses, ends well before. */
const CALL_TIMEOUT_MS = 600_000;

/** What runs in the data folder. @throws CliFailure where nothing does */
export async function runningInstance(dataDir: string): Promise<RuntimeInfo> {
  const info = await readRuntimeFile(dataDir);
  if (info !== undefined) return info;
  throw new CliFailure(
    `no instance runs in ${dataDir}; start one, or name its folder with --data-dir`,
  );
}

/**
 * Calls the running instance's operator API and checks the answer's shape.
 * @throws CliFailure with the problem's code and detail, or where it does not answer
 */
export async function callInstance<Schema extends z.ZodType>(
  instance: RuntimeInfo,
  schema: Schema,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<z.output<Schema>> {
  const response = await fetch(new URL(`/v1/ops${path}`, instance.url), {
    method,
    headers: { Authorization: `Bearer ${instance.adminToken}`, 'Content-Type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  }).catch((cause: unknown) => {
    const reason = cause instanceof Error && cause.name === 'TimeoutError' ? 'in time' : 'any more';
    throw new CliFailure(`the instance at ${instance.url} does not answer ${reason}`);
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) {
    const problem = problemSchema.safeParse(answer).data;
    throw new CliFailure(
      problem === undefined ? `HTTP ${response.status}` : `${problem.code}: ${problem.detail}`,
    );
  }
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new CliFailure('the instance answers in an unknown form; is it of another version?');
}
