import express, { type RequestHandler, type Router } from 'express';
import type { Answer } from './answer.ts';
import { send } from './answer.ts';
import type { EndpointFrame } from './endpoint.ts';
import type { ApiParts } from './ports.ts';
import { TextSnapshot } from './text-snapshot.ts';

type HealthParts = Pick<ApiParts, 'health' | 'metricsText' | 'draining' | 'runtime'>;

/** Scrapers ask every few seconds; those who ask more often share what is made in a second. */
const METRICS_EVERY_MS = 1_000;

/**
 * `/livez`, `/readyz` (`?verbose`) and `/metrics`: open to everyone, for probes and scrapers. Probes are answered at any
 * pace: a flood of them through a proxy must not make its own ones fail.
 */
export function healthRouter(
  { health, metricsText, draining, runtime }: HealthParts,
  frame: EndpointFrame,
  pace: RequestHandler,
): Router {
  const router = express.Router();
  const metrics = new TextSnapshot(metricsText, METRICS_EVERY_MS, runtime);
  router.get('/livez', (request, response) => {
    const { ok } = health.live();
    send(request, response, frame.requestId(request), probeAnswer(ok, 'live'));
  });
  router.get('/readyz', (request, response) => {
    const { ok, checks } = health.ready();
    const verbose = request.query['verbose'] !== undefined;
    const answer = probeAnswer(ok && !draining(), 'ready');
    const body = verbose ? { ...answer.body, checks } : answer.body;
    send(request, response, frame.requestId(request), { ...answer, body });
  });
  router.get('/metrics', pace, async (request, response) => {
    try {
      const text = await metrics.text();
      response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
      response.setHeader('Cache-Control', 'no-store');
      response.end(text);
    } catch (error) {
      frame.fail(request, response, error);
    }
  });
  return router;
}

function probeAnswer(ok: boolean, word: string): Answer {
  return ok
    ? { status: 200, body: { status: word } }
    : { status: 503, body: { status: `not ${word}` }, headers: { 'Retry-After': '1' } };
}
