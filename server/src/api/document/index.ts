import express, { type Router } from 'express';
import { pageHeaders } from '../pages.ts';
import style from './style.css?raw';

/** `/openapi.json` and its pages, made when first asked for. */
export function documentRouter(version: string): Router {
  const router = express.Router();
  let made: Promise<{ json: string; page: string }> | null = null;
  const document = (): Promise<{ json: string; page: string }> => (made ??= makeDocument(version));

  router.get('/openapi.json', async (_request, response) => {
    response.setHeader('Cache-Control', 'no-cache');
    response.type('json').send((await document()).json);
  });
  router.get('/docs', pageHeaders(), async (_request, response) => {
    response.setHeader('Cache-Control', 'no-cache');
    response.type('html').send((await document()).page);
  });
  router.get('/docs/style.css', pageHeaders(), (_request, response) => {
    response.setHeader('Cache-Control', 'no-cache');
    response.type('css').send(style);
  });
  return router;
}

async function makeDocument(version: string): Promise<{ json: string; page: string }> {
  // Loaded only here: most instances are never asked.
  const [{ apiDocument }, { renderPage }] = await Promise.all([
    import('./openapi.ts'),
    import('./page.ts'),
  ]);
  const document = apiDocument(version);
  return { json: JSON.stringify(document), page: renderPage(document) };
}
