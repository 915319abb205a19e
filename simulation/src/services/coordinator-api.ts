/** The API of one coordinator's process, as far as the client calls it: its real batches and catalog, without HTTP. */
import { isJsonObject, jsonText, parseJson } from '@lockstep/shared';
import type { Reply, Request } from '../../../client/src/transport.ts';
import { Admission } from '../../../server/src/api/admission.ts';
import type { Answer } from '../../../server/src/api/answer.ts';
import { type BatchServices, runBatch } from '../../../server/src/api/batch.ts';
import { answerCatalog } from '../../../server/src/api/catalog.ts';
import { Operations } from '../../../server/src/api/operations.ts';
import { problemAnswer } from '../../../server/src/api/problems.ts';
import { LockstepError, type Resource } from '../../../server/src/domain/index.ts';
import { Access } from '../../../server/src/identities/access.ts';
import type { ReadService } from '../../../server/src/reads/port.ts';
import type { Log } from '../../../server/src/runtime/ports.ts';
import type { WriteService } from '../../../server/src/writes/port.ts';
import { CLUSTER } from '../world/resources.ts';

/** Far above what a world needs. */
const LIMITS = {
  ...{ bodyBytes: 1_000_000, keyBytes: 2_048, answerBytes: 1_000_000, unsentBytes: 1_000_000 },
  ...{ batchOperations: 100, batchConcurrency: 16, transactionOperations: 100 },
  ...{ leaseTtlMs: 60_000, guardTtlMs: 60_000, writesInFlight: 1_000, readsInFlight: 1_000 },
};
const REQUEST_ID = 'simulated';
const CALLER = 'service';

/** What its answers come from. */
export interface ServedProcess {
  readonly engine: { reads: ReadService; writes: WriteService };
  readonly runtime: { log: Log };
}

export class CoordinatorApi {
  readonly #process: ServedProcess;
  readonly #resources: ReadonlyMap<string, Resource>;
  readonly #services: BatchServices;

  constructor(process: ServedProcess, resources: ReadonlyMap<string, Resource>) {
    const { reads, writes } = process.engine;
    const { log } = process.runtime;
    this.#process = process;
    this.#resources = resources;
    const admissions = {
      reads: new Admission('reads', LIMITS.readsInFlight),
      writes: new Admission('writes', LIMITS.writesInFlight),
    };
    this.#services = {
      operations: new Operations({ resources, reads, writes, limits: LIMITS }, admissions),
      options: { limits: LIMITS },
      frame: { problem: (cause, requestId) => problemAnswer(cause, requestId, log) },
      batches: { bytes: 0 },
    };
  }

  /** Never rejects. */
  async answer(request: Request): Promise<Reply> {
    const { status, body, text } = await this.#answered(request).catch((cause: unknown) =>
      problemAnswer(cause, REQUEST_ID, this.#process.runtime.log),
    );
    return { status, text: text ?? jsonText(body ?? null) };
  }

  #answered({ path, body = '' }: Request): Promise<Answer> {
    switch (path) {
      case '/v1/batch':
        return runBatch(this.#services, {
          call: { requestId: REQUEST_ID, access: Access.SERVICE, caller: CALLER },
          body: () => Promise.resolve(objectIn(body)),
        });
      case '/v1/resources':
        return Promise.resolve(this.#catalog());
      default:
        return Promise.reject(new LockstepError('NOT_FOUND', `Nothing is simulated at ${path}.`));
    }
  }

  #catalog(): Answer {
    const cacheFacts = { cluster: CLUSTER, cacheId: () => 'the cache', hasReplicas: false };
    const options = { cacheFacts, limits: LIMITS, resources: this.#resources };
    return answerCatalog({ options: { ...options, ops: { isSwitching: () => false } } });
  }
}

function objectIn(text: string): ReturnType<typeof objectOf> {
  return objectOf(parseJson(text));
}

function objectOf(body: ReturnType<typeof parseJson>) {
  if (isJsonObject(body)) return body;
  throw new LockstepError('INVALID', 'The body must be an object.');
}
