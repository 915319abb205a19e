import express, { type Router } from 'express';
import type { Answer } from './answer.ts';
import { send } from './answer.ts';
import type { EndpointFrame } from './endpoint.ts';
import type { ApiParts } from './ports.ts';

type HealthParts = Pick<ApiParts, 'health' | 'metricsText' | 'draining'>;

/** `/livez`, `/readyz` (`?verbose`) and `/metrics`: open to everyone, for probes and scrapers. */
export function healthRouter(
  { health, metricsText, draining }: HealthParts,
  frame: EndpointFrame,
): Router {
  const router = express.Router();
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
  router.get('/metrics', async (request, response) => {
    try {
      const text = await metricsText();
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
