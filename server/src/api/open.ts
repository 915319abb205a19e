/** What is open to everyone: probes, the API document, and metrics unless they have a token of their own. */
import type { Answer } from './answer.ts';
import style from './document/style.css?raw';
import type { ApiServices, EndpointCall } from './endpoint.ts';
import type * as wire from './schemas.ts';
import type { z } from 'zod';

/** The process answers. */
export const livez = (): Answer => probeAnswer(true, 'live');

export async function readyz(
  { options }: ApiServices,
  call: EndpointCall<undefined, z.output<typeof wire.readyQuery>>,
): Promise<Answer> {
  const { ok, checks } = await options.health.ready();
  const answer = probeAnswer(ok && !options.draining(), 'ready');
  return call.query().verbose === undefined
    ? answer
    : { ...answer, body: { ...answer.body, checks } };
}

function probeAnswer(ok: boolean, word: string): Answer {
  return ok
    ? { status: 200, body: { status: word } }
    : { status: 503, body: { status: `not ${word}` }, headers: { 'Retry-After': '1' } };
}

export async function metrics(
  api: ApiServices,
  { request }: EndpointCall<undefined, undefined>,
): Promise<Answer> {
  await api.metricsDoor.admit(request);
  return text('text/plain; version=0.0.4; charset=utf-8', 'no-store', await api.metrics.text());
}

export const documentJson = async ({ document }: ApiServices): Promise<Answer> =>
  text('application/json; charset=utf-8', 'no-cache', await document.json());

export const documentPage = async ({ document }: ApiServices): Promise<Answer> =>
  text('text/html; charset=utf-8', 'no-cache', await document.page());

export const documentStyle = (): Answer => text('text/css; charset=utf-8', 'no-cache', style);

const text = (type: string, cacheControl: string, body: string): Answer => ({
  status: 200,
  headers: { 'Content-Type': type, 'Cache-Control': cacheControl },
  text: body,
});
