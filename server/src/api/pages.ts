import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import express, { type Request, type Router } from 'express';
import helmet from 'helmet';

const YEAR_MS = 365 * 24 * 3_600_000;
const INLINE_SCRIPT = /<script(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/g;
const NOT_BUILT =
  '<!doctype html><html lang="en"><title>Lockstep</title><p>The dashboard is not built. The API is at <a href="/docs">/docs</a>.</p></html>';

/**
 * The dashboard's static files, open to everyone: the dashboard signs in by itself. Browsers keep hashed assets for good
 * and revalidate the page each time. A navigation to any other path gets the page too, which has its own routes.
 */
export function dashboardRouter(dashboardDir: string | null): Router {
  const router = express.Router();
  const index = readIndex(dashboardDir);
  router.use(pageHeaders(inlineScriptHashes(index)));
  if (dashboardDir !== null) {
    const assets = { index: false, immutable: true, maxAge: YEAR_MS, fallthrough: true } as const;
    router.use('/assets', express.static(join(dashboardDir, 'assets'), assets));
    router.use(express.static(dashboardDir, { index: false, maxAge: 0 }));
  }
  router.get('/{*path}', (request, response, next) => {
    if (!isNavigation(request)) return next();
    response.setHeader('Cache-Control', 'no-cache');
    response.type('html').send(index);
  });
  return router;
}

/** Security headers of pages: they load nothing from elsewhere and cannot be framed. */
export function pageHeaders(scriptHashes: readonly string[] = []): express.RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'", ...scriptHashes.map((hash) => `'${hash}'`)],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    // Lockstep itself has no TLS. A proxy that terminates it can set this header.
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
  });
}

function readIndex(dashboardDir: string | null): string {
  if (dashboardDir === null) return NOT_BUILT;
  const path = join(dashboardDir, 'index.html');
  return existsSync(path) ? readFileSync(path, 'utf8') : NOT_BUILT;
}

function inlineScriptHashes(html: string): string[] {
  return [...html.matchAll(INLINE_SCRIPT)].map(
    ([, script = '']) => `sha256-${createHash('sha256').update(script).digest('base64')}`,
  );
}

function isNavigation(request: Request): boolean {
  if (request.path === '/') return true;
  const isFile = /\.[^/]+$/.test(request.path);
  return (
    !isFile &&
    !request.path.startsWith('/v1/') &&
    (request.headers.accept ?? '').includes('text/html')
  );
}
