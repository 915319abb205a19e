import { OpenAPIRegistry, OpenApiGeneratorV31 } from '@asteasolutions/zod-to-openapi';
import { SECTIONS } from './paths.ts';

export type ApiDocument = ReturnType<OpenApiGeneratorV31['generateDocument']>;

/** The OpenAPI 3.1 document of the whole API. */
export function apiDocument(version: string): ApiDocument {
  const registry = new OpenAPIRegistry();
  const bearer = registry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: 'The service token; the admin token for /v1/ops.',
  });
  for (const { tag, open, calls } of SECTIONS) {
    for (const call of calls) {
      registry.registerPath({
        ...call,
        tags: [tag],
        security: open ? [] : [{ [bearer.name]: [] }],
      });
    }
  }
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'Lockstep',
      version,
      description: 'Writes that keep a SQL database and a Redis cache in step.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: SECTIONS.map(({ tag, description }) => ({ name: tag, description })),
  });
}
