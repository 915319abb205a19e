import type { RequestListener } from 'node:http';
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type Response,
  type Router,
} from 'express';
import { LockstepError } from '../domain/index.ts';
import { Admission } from './admission.ts';
import type { Answer } from './answer.ts';
import { runBatch } from './batch.ts';
import { documentRouter } from './document/index.ts';
import { EndpointFrame, type Call } from './endpoint.ts';
import { healthRouter } from './health-route.ts';
import { runInvalidations } from './invalidations.ts';
import { readJsonObject } from './json-body.ts';
import { leasesRouter } from './leases-route.ts';
import { atOpenPace } from './open-pace.ts';
import { Operations } from './operations.ts';
import { opsRouter } from './ops-route.ts';
import { dashboardRouter } from './pages.ts';
import type { ApiParts } from './ports.ts';
import { ResourceRoute } from './resource-route.ts';
import { RoutedCalls } from './routed-calls.ts';
import { RoutingRoute } from './routing-route.ts';
import { runTransaction } from './transactions.ts';

/** The head of an answer waits for its reader too. */
const HEAD_BYTES = 16 * 1024;

/**
 * The HTTP face: resources, batches, transactions, leases and invalidations for services, `/v1/ops` for operators, probes, metrics, the API
 * document and the dashboard.
 *
 * The hot path is answered before express sees the request: it spends more time on one than a write's own code does
 * (mostly because it changes the prototype of every request and response). Helmet stands before pages only.
 */
export function createApi(parts: ApiParts): RequestListener {
  const { limits, auth, runtime } = parts;
  const frame = new EndpointFrame(auth, runtime);
  const admission = {
    reads: new Admission('reads', limits.readsInFlight),
    writes: new Admission('writes', limits.writesInFlight, parts.draining),
  };
  const operations = new Operations(parts, admission);
  const routed = new RoutedCalls(parts.routing);
  const resources = new ResourceRoute(operations, frame, routed, {
    maxBytes: limits.bodyBytes,
    maxAnswerBytes: limits.unsentBytes - HEAD_BYTES,
    leaving: parts.leaving,
  });
  const routing = new RoutingRoute(operations, frame, parts.routing);
  const leases = leasesRouter(
    { leases: parts.leases, routed, operations, admission: admission.writes, limits },
    frame,
  );
  const app = createApp(parts, operations, frame, leases);
  return (request, response) => {
    if (!resources.handle(request, response) && !routing.handle(request, response))
      app(request, response);
  };
}

function createApp(
  parts: ApiParts,
  operations: Operations,
  frame: EndpointFrame,
  leases: Router,
): Express {
  const { limits } = parts;
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', 'simple');
  const batches = { bytes: 0 };
  app.all(
    '/v1/batch',
    post(frame, async (request, { requestId, caller }) => {
      const body = await readJsonObject(request, limits.bodyBytes);
      const failed = (cause: unknown): Answer => frame.problem(cause, requestId);
      return runBatch({ operations, limits, failed, caller, underWay: batches }, body);
    }),
  );
  app.all(
    '/v1/transactions',
    post(frame, async (request, { caller }) => {
      const body = await readJsonObject(request, limits.bodyBytes);
      const { transactionOperations: max } = limits;
      return runTransaction(operations, body, request.headers, max, caller);
    }),
  );
  app.use('/v1/leases', leases);
  app.all(
    '/v1/invalidations',
    post(frame, async (request, call) => {
      const body = await readJsonObject(request, limits.bodyBytes);
      return runInvalidations(operations, body, limits.batchOperations, call);
    }),
  );
  app.use('/v1/ops', opsRouter(parts, operations, frame));
  const pace = atOpenPace(parts.runtime, frame);
  app.use(healthRouter(parts, frame, pace));
  app.use(pace);
  app.use(documentRouter(parts.version));
  app.use(dashboardRouter(parts.dashboardDir));
  app.use((request, response) => {
    const error = new LockstepError(
      'NOT_FOUND',
      'There is nothing at this path; /docs lists what there is.',
    );
    frame.fail(request, response, error);
  });
  app.use(edgeErrors(frame));
  return app;
}

type Endpoint = (request: Request, call: Call) => Promise<Answer>;

/** A path of the service's API that takes POST alone. */
function post(frame: EndpointFrame, endpoint: Endpoint) {
  return (request: Request, response: Response): Promise<void> =>
    frame.serve(request, response, 'service', (_request, call) =>
      request.method === 'POST'
        ? endpoint(request, call)
        : Promise.resolve(frame.methodNotAllowed('POST', call.requestId)),
    );
}

/** What express itself refuses (a path that does not decode) is the caller's fault; anything else is a defect. */
function edgeErrors(frame: EndpointFrame): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    const status = error instanceof Error && 'status' in error ? error.status : 500;
    const isRefused = typeof status === 'number' && status >= 400 && status < 500;
    const cause = isRefused
      ? new LockstepError('MALFORMED', 'The path could not be parsed.', { cause: error })
      : error;
    frame.fail(request, response, cause);
  };
}
