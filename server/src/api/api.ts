import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import express from 'express';
import { LockstepError } from '../domain/index.ts';
import { Admission } from './admission.ts';
import { createDocument } from './document/index.ts';
import { type ApiServices, groupByPath, type PathEndpoints, servePath } from './endpoint.ts';
import { EndpointFrame } from './endpoint-frame.ts';
import { ENDPOINTS, HOME_PATH, MEMBERS_PATH, RESOURCE_PATH } from './endpoints.ts';
import { atOpenPace } from './open-pace.ts';
import { MetricsDoor } from './metrics-door.ts';
import { Operations } from './operations.ts';
import { dashboardRouter, pageHeaders } from './pages.ts';
import type { ApiOptions } from './ports.ts';
import { ResourceRoute } from './resource-route.ts';
import { RoutedCalls } from './routed-calls.ts';
import { routingRoute } from './routing-route.ts';
import { TextSnapshot } from './text-snapshot.ts';

/** The head of an answer waits for its reader too. */
const HEAD_BYTES = 16 * 1024;
/** Scrapers ask every few seconds; those that ask more often share the text that is made in a second. */
const METRICS_EVERY_MS = 1_000;

/**
 * The HTTP API, from the table of endpoints, and the dashboard.
 *
 * The hot path is answered before express sees the request: express spends more time on a request than a write's own code
 * does (mostly because it changes the prototype of every request and response). Helmet runs for pages only.
 */
export function createApi(options: ApiOptions): RequestListener {
  const { limits, runtime } = options;
  const frame = new EndpointFrame(options.auth, runtime);
  const admission = {
    reads: new Admission('reads', limits.readsInFlight),
    writes: new Admission('writes', limits.writesInFlight, options.draining),
  };
  const api: ApiServices = {
    options,
    operations: new Operations(options, admission),
    frame,
    routed: new RoutedCalls(options.routing),
    writes: admission.writes,
    batches: { bytes: 0 },
    metrics: new TextSnapshot(options.metricsText, METRICS_EVERY_MS, runtime),
    metricsDoor: new MetricsDoor(options.metricsToken, options.auth),
    document: createDocument(options.version),
  };
  const paths = new Map(groupByPath(ENDPOINTS).map((each) => [each.path, each]));
  const resources = new ResourceRoute(api.operations, frame, api.routed, {
    endpoints: take(paths, RESOURCE_PATH),
    maxBytes: limits.bodyBytes,
    maxAnswerBytes: limits.unsentBytes - HEAD_BYTES,
    leaving: options.leaving,
  });
  const routing = routingRoute(api, take(paths, MEMBERS_PATH), take(paths, HOME_PATH));
  const app = createApp(api, [...paths.values()]);
  return (request, response) => {
    if (resources.handle(request, response) || routing(request, response)) return;
    app(request, response, (error) =>
      frame.fail(request, response, error === undefined ? nothingHere() : refusal(error)),
    );
  };
}

/** Takes a path out of those that express serves. */
function take(paths: Map<string, PathEndpoints>, path: string): PathEndpoints {
  const found = paths.get(path);
  if (found === undefined) throw new TypeError(`The table of endpoints has no ${path}.`);
  paths.delete(path);
  return found;
}

/** Calls `unanswered` for a request that it does not answer, with what was wrong if something was. */
type App = (
  request: IncomingMessage,
  response: ServerResponse,
  unanswered: (error?: unknown) => void,
) => void;

/**
 * The endpoints and the dashboard. What they leave unanswered goes to the callback of the request, and not to a last
 * handler: express passes by all handlers where it finds no path in the target (`//#`), and would answer with a page of its own.
 */
function createApp(api: ApiServices, paths: readonly PathEndpoints[]): App {
  const { frame, options } = api;
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('query parser', 'simple');
  const pace = atOpenPace(options.runtime, frame);
  const page = pageHeaders();
  for (const each of paths) {
    const before = [...(each.isPaced ? [pace] : []), ...(each.isPage ? [page] : [])];
    const path = each.path.replace(/\{(\w+)\}/g, ':$1');
    app.all(path, ...before, (request, response) =>
      servePath(api, each, request, response, () => request.params),
    );
  }
  app.use(pace);
  app.use(dashboardRouter(options.dashboardDir));
  return app;
}

const nothingHere = (): LockstepError =>
  new LockstepError('NOT_FOUND', 'There is nothing at this path; /docs lists what there is.');

/** What express itself refuses (a path that does not decode) is the caller's fault; anything else is a defect. */
function refusal(error: unknown): unknown {
  const status = error instanceof Error && 'status' in error ? error.status : 500;
  const isRefused = typeof status === 'number' && status >= 400 && status < 500;
  return isRefused
    ? new LockstepError('MALFORMED', 'The path could not be parsed.', { cause: error })
    : error;
}
