import { ERROR_CODES } from '@lockstep/shared';
import type { ApiDocument } from './openapi.ts';

type Operation = NonNullable<NonNullable<ApiDocument['paths']>[string]['get']>;
type Schema = object | undefined;

const METHODS = ['get', 'put', 'patch', 'post', 'delete'] as const;

/** The API document as one page that needs no script and nothing from elsewhere. */
export function renderPage(document: ApiDocument): string {
  const { info, tags = [], components } = document;
  const schemas = Object.entries(components?.schemas ?? {});
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(info.title)} API</title>
<link rel="stylesheet" href="/docs/style.css">
</head>
<body>
<header><h1>${escape(info.title)} API <small>${escape(info.version)}</small></h1>
<p>${escape(info.description ?? '')} <a href="/openapi.json">openapi.json</a></p></header>
<main>
${tags.map(({ name, description }) => renderSection(document, name, description ?? '')).join('\n')}
${renderProblems()}
<section><h2>Schemas</h2>${schemas.map(([name, schema]) => renderSchema(name, schema)).join('')}</section>
</main>
</body>
</html>
`;
}

function renderSection(document: ApiDocument, tag: string, description: string): string {
  const calls = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      return operation?.tags?.includes(tag) === true ? [renderCall(method, path, operation)] : [];
    }),
  );
  return `<section><h2>${escape(tag)}</h2><p>${escape(description)}</p>${calls.join('\n')}</section>`;
}

function renderCall(method: string, path: string, operation: Operation): string {
  const body = operation.requestBody;
  const content = body !== undefined && 'content' in body ? body.content : {};
  return `<details><summary><code class="method ${method}">${method.toUpperCase()}</code> <code>${escape(path)}</code> ${escape(operation.summary ?? '')}</summary>
${renderParameters(operation)}
${Object.entries(content)
  .map(([type, { schema }]) => `<h4>Body <code>${escape(type)}</code></h4>${renderShape(schema)}`)
  .join('')}
<h4>Answers</h4><table>${Object.entries(operation.responses ?? {})
    .map(renderAnswer)
    .join('')}</table></details>`;
}

function renderParameters(operation: Operation): string {
  const rows = (operation.parameters ?? []).flatMap((parameter) =>
    'name' in parameter
      ? [
          `<tr><td><code>${escape(parameter.name)}</code></td><td>${escape(parameter.in)}</td><td>${escape(describe(parameter.schema))}</td></tr>`,
        ]
      : [],
  );
  return rows.length === 0 ? '' : `<h4>Parameters</h4><table>${rows.join('')}</table>`;
}

function renderAnswer([status, answer]: [string, unknown]): string {
  const { description = '', content = {} } = answer as {
    description?: string;
    content?: Record<string, { schema?: Schema }>;
  };
  const shapes = Object.values(content).map(({ schema }) => renderShape(schema));
  return `<tr><td><code>${escape(status)}</code></td><td>${escape(description)}</td><td>${shapes.join('')}</td></tr>`;
}

function renderProblems(): string {
  const rows = Object.entries(ERROR_CODES).map(
    ([code, { status, retryable, title }]) =>
      `<tr id="problem-${code.toLowerCase().replaceAll('_', '-')}"><td><code>${code}</code></td><td>${status}</td><td>${escape(title)}</td><td>${retryable ? 'retryable' : ''}</td></tr>`,
  );
  return `<section><h2>Problems</h2><p>Errors are <code>application/problem+json</code>; branch on <code>code</code>.</p><table>${rows.join('')}</table></section>`;
}

function renderSchema(name: string, schema: Schema): string {
  return `<details id="schema-${escape(name)}"><summary><code>${escape(name)}</code> ${escape(describe(schema))}</summary><pre>${escape(JSON.stringify(schema, null, 2))}</pre></details>`;
}

function renderShape(schema: Schema): string {
  if (schema === undefined) return '';
  const name = '$ref' in schema ? String(schema.$ref).split('/').at(-1) : undefined;
  if (name !== undefined) return `<a href="#schema-${escape(name)}">${escape(name)}</a>`;
  return `<pre>${escape(JSON.stringify(schema, null, 2))}</pre>`;
}

function describe(schema: Schema): string {
  return schema !== undefined && 'description' in schema ? String(schema.description) : '';
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escape = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
