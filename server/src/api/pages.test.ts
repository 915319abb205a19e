import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { problem, readAnswer, writeAnswer } from './schemas.ts';
import {
  ADMIN_TOKEN,
  type ApiServer,
  SERVICE_TOKEN,
  startApi,
} from '@lockstep/testkit/doubles/api-server';

let api: ApiServer;
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-pages-'));
  await mkdir(join(folder, 'assets'));
  await writeFile(
    join(folder, 'index.html'),
    '<!doctype html><script>early()</script><script src="/assets/a-1.js"></script>',
  );
  await writeFile(join(folder, 'assets', 'a-1.js'), 'app()');
  api = await startApi({ dashboardDir: folder });
});
afterAll(async () => {
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

const open = (path: string, accept = 'text/html') =>
  api.call('GET', path, { token: null, headers: { accept } });

describe('the dashboard', () => {
  it('is served to everyone, the page anew each time and hashed assets for good', async () => {
    const page = await open('/');
    expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'no-cache']);
    expect(page.text).toContain('early()');
    const asset = await open('/assets/a-1.js');
    expect(asset.headers.get('cache-control')).toContain('immutable');
    expect((await open('/assets/a-2.js')).status).toBe(404);
  });

  it('may run its own scripts and nothing else, and is never framed', async () => {
    const policy = (await open('/')).headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/script-src 'self' 'sha256-[\w+/=]+';/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('upgrade-insecure-requests');
  });

  it('answers a navigation to any path of its own with the page, and no other call', async () => {
    expect((await open('/audits/7')).text).toContain('early()');
    expect((await open('/audits/7', 'application/json')).json['code']).toBe('NOT_FOUND');
    expect((await open('/v1/nothing')).json['code']).toBe('NOT_FOUND');
    expect((await open('/..%2f..%2fetc%2fpasswd', '*/*')).status).toBeGreaterThanOrEqual(400);
  });
});

describe('probes and metrics', () => {
  it('are open to everyone', async () => {
    expect((await open('/livez')).json).toEqual({ status: 'live' });
    expect((await open('/readyz')).json).toEqual({ status: 'ready' });
    expect((await open('/readyz?verbose')).json).toEqual({ status: 'ready', checks: [] });
    const metrics = await open('/metrics');
    expect(metrics.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(metrics.text).toContain('lockstep_up 1');
  });

  it('keep the metrics for their own token and for viewers, where one is configured', async () => {
    const closed = await startApi({ metricsToken: 'scrape-scrape-scrape' });
    try {
      const scrape = async (token: string | null): Promise<unknown> => {
        const { status, json, text } = await closed.call('GET', '/metrics', { token });
        return status === 200 ? text : [status, json['code']];
      };
      expect(await scrape('scrape-scrape-scrape')).toBe('lockstep_up 1\n');
      expect(await scrape(ADMIN_TOKEN)).toBe('lockstep_up 1\n');
      expect(await scrape(null)).toEqual([401, 'UNAUTHENTICATED']);
      expect(await scrape('scrape-scrape-scrapE')).toEqual([401, 'UNAUTHENTICATED']);
      expect(await scrape(SERVICE_TOKEN)).toEqual([403, 'FORBIDDEN']);
      for (const path of ['/v1/resources', '/v1/ops/audits']) {
        const answer = await closed.call('GET', path, { token: 'scrape-scrape-scrape' });
        expect(answer.status).toBe(401);
      }
      expect((await closed.call('GET', '/livez', { token: null })).status).toBe(200);
    } finally {
      await closed.close();
    }
  });
});

describe('the API document', () => {
  it('is OpenAPI 3.1 and lists every call', async () => {
    const { json } = await open('/openapi.json');
    expect(json['openapi']).toBe('3.1.0');
    expect(Object.keys(json['paths'] as object)).toEqual(
      expect.arrayContaining([
        '/v1/resources/{resource}/{key}',
        '/v1/batch',
        '/v1/invalidations',
        '/v1/ops/audits',
        '/readyz',
      ]),
    );
    const { schemas } = json['components'] as { schemas: object };
    expect(Object.keys(schemas)).toEqual(
      expect.arrayContaining(['WriteAnswer', 'ReadAnswer', 'Problem', 'Batch']),
    );
  });

  it('has pages without scripts that everything can be found in', async () => {
    const page = await open('/docs');
    expect(page.text).not.toContain('<script');
    expect(page.text).not.toContain('undefined');
    expect(page.text).toContain('id="problem-version-mismatch"');
    expect(page.text).toContain('/v1/resources/{resource}/{key}');
    expect((await open('/docs/style.css')).headers.get('content-type')).toMatch(/^text\/css/);
  });

  it('is true of real answers', async () => {
    const holds = (schema: z.ZodType, value: unknown) =>
      expect(schema.safeParse(value).error).toBeUndefined();
    holds(
      writeAnswer,
      (await api.call('PUT', '/v1/resources/account/1', { body: { owner: 'a' } })).json,
    );
    holds(writeAnswer, (await api.call('PUT', '/v1/resources/line/a,1', { body: {} })).json);
    holds(readAnswer, (await api.call('GET', '/v1/resources/account/1')).json);
    holds(problem, (await api.call('PUT', '/v1/resources/account/1', { body: { x: 1 } })).json);
  });
});
