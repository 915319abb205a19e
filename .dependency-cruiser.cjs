/**
 * The architecture as a rule: shared <- domain <- capabilities (through ports) <- adapters <- api, live <- main.
 * Only `writes` orchestrates other capabilities; drivers appear only in adapters; the clock, timers and
 * randomness only in `runtime`, so that the engine can be simulated.
 * @type {import('dependency-cruiser').IConfiguration}
 */
const capability =
  '^server/src/(reads|locks|leases|cache|database|outbox|audits|changelog|replicas|routing)/';
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'shared-stands-alone',
      severity: 'error',
      from: { path: '^shared/' },
      to: { path: '^(server|dashboard|migrations|e2e|bench)/' },
    },
    {
      name: 'checkers-know-only-shared',
      comment: 'What judges the engine has no code in common with it.',
      severity: 'error',
      from: { path: '^checkers/' },
      to: { path: '^(server|dashboard|migrations|simulation|e2e|bench)/' },
    },
    {
      name: 'lab-stands-alone',
      comment: 'Its strategies are models; the explorer runs in a browser too.',
      severity: 'error',
      from: { path: '^lab/src/', pathNot: '\\.(program|test)\\.ts$' },
      to: { path: '^(server|dashboard|migrations|simulation|e2e|bench|shared)/|^node:' },
    },
    {
      name: 'domain-knows-only-shared',
      severity: 'error',
      from: { path: '^server/src/domain/', pathNot: '\\.test\\.ts$' },
      to: { path: '^server/src/(?!domain/)|^migrations/|^node:(?!crypto|buffer)' },
    },
    {
      name: 'redis-knows-no-other-folder',
      comment: 'What the connection to the cache and those to the lock nodes share.',
      severity: 'error',
      from: { path: '^server/src/redis/' },
      to: { path: '^(shared|migrations)/|^server/src/(?!redis/)' },
    },
    {
      name: 'redis-serves-connections',
      comment: 'Error replies and scripts of Redis are the business of what talks to Redis.',
      severity: 'error',
      from: { path: '^server/src/(?!(redis|cache|locks|checks)/)' },
      to: { path: '^server/src/redis/' },
    },
    {
      name: 'capabilities-do-not-reach-outward',
      severity: 'error',
      from: {
        path: '^server/src/(writes|reads|locks|leases|cache|database|outbox|audits|changelog|replicas|routing)/',
        pathNot: '^server/src/replicas/(testing/|.*\\.test\\.ts$)',
      },
      to: { path: '^server/src/(api|live|metrics|health|cli|demo|embedded|config|main)' },
    },
    {
      name: 'capabilities-meet-at-ports',
      comment:
        'One capability may import another one only through its port.ts or index.ts; `writes` orchestrates.',
      severity: 'error',
      from: { path: capability, pathNot: '\\.(test|conformance)\\.ts$|/testing/' },
      to: {
        path: '^server/src/(writes|reads|locks|leases|cache|database|outbox|audits|changelog|replicas|routing)/',
        pathNot: ['^server/src/$1/', '/(port|index)\\.ts$'],
      },
    },
    {
      name: 'dialects-stand-apart',
      comment: 'What PostgreSQL and MySQL have in common is in the folders beside them.',
      severity: 'error',
      from: { path: '^server/src/database/(postgres|mysql)/' },
      to: {
        path: '^server/src/database/(postgres|mysql)/',
        pathNot: '^server/src/database/$1/',
      },
    },
    {
      name: 'web-frameworks-at-the-edge',
      severity: 'error',
      from: { pathNot: '^server/src/(api|live|metrics|health|main)' },
      to: { path: 'node_modules/(express|socket\\.io|helmet|express-rate-limit)/' },
    },
    {
      name: 'drivers-in-adapters',
      severity: 'error',
      from: {
        pathNot:
          '/(redis|knex|redlock)[^/]*\\.ts$|/adapters?/|/testing/|^server/src/(embedded|live|database)/|\\.test\\.ts$',
      },
      to: {
        path: 'node_modules/(ioredis|redlock|knex|pg|mysql2)/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'controls-are-never-shipped',
      comment: 'What breaks a protection is reached only from the controls and the simulation.',
      severity: 'error',
      from: { path: '^server/', pathNot: '^server/src/controls/' },
      to: { path: '^server/src/controls/' },
    },
    {
      name: 'edges-import-no-test',
      severity: 'error',
      from: { pathNot: '\\.(test|conformance)\\.ts$|/testing/' },
      to: { path: '\\.(test|conformance)\\.ts$|/testing/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\?raw$' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
