import type { SeededRandom } from '@lockstep/testkit/seeded-random';

const METHODS = [
  'GET',
  'PUT',
  'PATCH',
  'DELETE',
  'POST',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'BREW',
];
const PATHS = [
  ...[
    '/v1/resources/account/1',
    '/v1/resources/part/a,b',
    '/v1/resources/document/a%2Fb%00',
    '/v1/resources/x/1',
  ],
  ...[
    '/v1/resources/account/%',
    '/v1/resources/account/1?minVersion=9e99&token=x',
    '/v1/resources/__proto__/constructor',
  ],
  ...[
    '/v1/batch',
    '/v1/transactions',
    '/v1/invalidations',
    '/v1/leases',
    '/v1/leases/a~b',
    '/v1/leases/%00',
  ],
  ...[
    '/v1/ops/session',
    '/v1/ops/keys/account/1',
    '/v1/ops/findings?limit=x',
    '/v1/routing',
    '/v1/routing/account/1',
  ],
  ...[
    '/',
    '/docs',
    '/metrics',
    '/readyz?verbose',
    '/live/',
    '/live/?EIO=4&transport=polling',
    '/live/?EIO=3&sid=x&transport=x',
  ],
  ...[
    '/../../etc/passwd',
    '//evil.test/x',
    '/%2e%2e/%2e%2e',
    '/assets/..%2f..%2fpackage.json',
    '*',
    'http://h/v1/batch',
    '?',
    '',
  ],
];
const NAMES = [
  ...[
    'If-Match',
    'If-None-Match',
    'Idempotency-Key',
    'Lockstep-Lease',
    'Lockstep-Timeout',
    'Lockstep-Token',
  ],
  ...[
    'Lockstep-Forwarded-By',
    'Lockstep-Forwarded-To',
    'X-Request-Id',
    'Content-Encoding',
    'Transfer-Encoding',
  ],
  ...[
    'Upgrade',
    'HTTP2-Settings',
    'Expect',
    'Origin',
    'Connection',
    'Content-Type',
    'Content-Length',
    'Host',
    '__proto__',
    'TE',
  ],
];
const VALUES = [
  ...[
    '"1"',
    '*',
    'W/"1"',
    'null',
    '-1',
    '1e9',
    '99999999999999999999',
    '',
    ' ',
    'x'.repeat(9_000),
    '\xff\xfe',
    'a\tb',
    '%00',
  ],
  ...[
    'chunked',
    'gzip, chunked',
    'h2c',
    'websocket',
    '100-continue',
    'close',
    'keep-alive, Upgrade',
    'application/json',
    'text/html',
    '0',
    '5',
  ],
];
const ATOMS = [
  ...[
    null,
    true,
    0,
    -0,
    1e308,
    1.5,
    -1,
    2 ** 53,
    '',
    'x',
    '\u0000',
    '\ud800',
    '9'.repeat(400),
    'account',
    '2020-01-01',
    '__proto__',
  ],
];
const FIELDS = [
  ...[
    'operations',
    'op',
    'resource',
    'key',
    'value',
    'ifMatch',
    'keys',
    'cacheKeys',
    'ttl',
    '$inc',
    'owner',
    'balance',
    'id',
  ],
  ...[
    'lease',
    'token',
    'timeout',
    'idempotencyKey',
    'consistency',
    '__proto__',
    'constructor',
    'toString',
    '',
  ],
];
const OPS = ['put', 'patch', 'delete', 'get', 'x'];

/** The bytes of a request as no polite client would send it, as Latin-1. */
export function anyRequest(random: SeededRandom, token: string): string {
  if (random.chance(0.1)) return anyBytes(random, 2_000);
  const request = structured(random, token);
  return random.chance(0.3) ? mutated(random, request) : request;
}

function structured(random: SeededRandom, token: string): string {
  const body = random.chance(0.7) ? Buffer.from(anyBody(random)).toString('latin1') : '';
  const lines = [
    `${random.pick(METHODS)} ${random.pick(PATHS)} HTTP/1.${random.chance(0.9) ? 1 : 0}`,
  ];
  if (random.chance(0.95)) lines.push('Host: localhost');
  if (random.chance(0.9)) lines.push(`Authorization: Bearer ${token}`);
  if (random.chance(0.8)) lines.push('Content-Type: application/json');
  for (let count = random.below(4); count > 0; count -= 1) {
    lines.push(`${random.pick(NAMES)}: ${random.pick(VALUES)}`);
  }
  if (body !== '' && random.chance(0.9)) lines.push(`Content-Length: ${body.length}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

function anyBody(random: SeededRandom): string {
  if (random.chance(0.1)) return anyBytes(random, 300);
  if (random.chance(0.05)) return '['.repeat(random.below(50_000));
  if (random.chance(0.5)) {
    const operations = Array.from({ length: random.below(6) }, () => ({
      op: random.pick(OPS),
      resource: random.pick(['account', 'part', 'document', 'sample', 'x', 1]),
      key: anyValue(random, 2),
      value: anyValue(random, 3),
    }));
    return JSON.stringify({ operations });
  }
  return JSON.stringify(anyValue(random, 4));
}

function anyValue(random: SeededRandom, depth: number): unknown {
  if (depth === 0 || random.chance(0.4)) return random.pick(ATOMS.map((atom) => ({ atom }))).atom;
  const length = random.below(4);
  if (random.chance(0.4)) return Array.from({ length }, () => anyValue(random, depth - 1));
  return Object.fromEntries(
    Array.from({ length }, () => [random.pick(FIELDS), anyValue(random, depth - 1)]),
  );
}

/** Some of its bytes are changed, left out, or stand twice. */
function mutated(random: SeededRandom, text: string): string {
  let changed = text;
  for (let count = 1 + random.below(4); count > 0; count -= 1) {
    const at = random.below(changed.length + 1);
    const length = random.below(20);
    const piece = random.pick([
      anyBytes(random, 4),
      '',
      changed.slice(at, at + length),
      '\r\n',
      '\n',
      '\0',
    ]);
    changed = changed.slice(0, at) + piece + changed.slice(at + (random.chance(0.5) ? length : 0));
  }
  return changed;
}

const anyBytes = (random: SeededRandom, most: number): string =>
  String.fromCharCode(...Array.from({ length: random.below(most) }, () => random.below(256)));
