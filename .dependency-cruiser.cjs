/**
 * The architecture as a rule: shared <- domain <- capabilities (through ports) <- adapters <- api, live <- main.
 * CONTRIBUTING.md says in words what these rules hold.
 * @type {import('dependency-cruiser').IConfiguration}
 */
const capability =
  '^server/src/(writes|reads|locks|leases|cache|database|outbox|invalidations|audits|changelog|capture|replicas|rights|routing|identities)/';
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'shared-stands-alone',
      severity: 'error',
      from: { path: '^shared/' },
      to: {
        path: '^(server|client|dashboard|migrations|e2e|bench|conformance|checkers|simulation|lab|testkit)/',
      },
    },
    {
      name: 'checkers-know-only-shared',
      comment: 'What judges the engine has no code in common with it.',
      severity: 'error',
      from: { path: '^checkers/' },
      to: {
        path: '^(server|dashboard|migrations|simulation|e2e|bench|conformance|lab|testkit)/',
      },
    },
    {
      name: 'client-ships-alone',
      comment:
        'Services install it without the server; what it needs of shared, and nothing with dependencies, is bundled.',
      severity: 'error',
      from: { path: '^client/src/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^(server|dashboard|migrations|simulation|e2e|bench|conformance|lab|checkers|testkit|client/test)/|^shared/src/(index|ops|live)\\.ts$',
      },
    },
    {
      name: 'adapters-ship-alone',
      comment: 'An adapter is used beside an ORM and the client, and takes nothing else.',
      severity: 'error',
      from: { path: '^adapters/([^/]+)/src/' },
      to: {
        path: '^(server|shared|dashboard|migrations|simulation|e2e|bench|conformance|lab|checkers|testkit|adapters|client)/',
        pathNot: '^adapters/$1/src/|^client/src/(index|sql)\\.ts$',
      },
    },
    {
      name: 'nobody-builds-on-adapters',
      severity: 'error',
      from: { pathNot: '^adapters/' },
      to: { path: '^adapters/' },
    },
    {
      name: 'nobody-builds-on-the-client',
      comment:
        'Benchmarks and proofs measure and judge it, and controls break it; the server does not know it.',
      severity: 'error',
      from: { path: '^(server|shared|migrations|dashboard|lab|checkers)/' },
      to: { path: '^client/' },
    },
    {
      name: 'lab-stands-alone',
      comment: 'Its strategies are models; the explorer runs in a browser too.',
      severity: 'error',
      from: { path: '^lab/src/', pathNot: '\\.(program|test)\\.ts$' },
      to: {
        path: '^(server|dashboard|migrations|simulation|e2e|bench|conformance|shared|checkers|testkit)/|^node:',
      },
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
      to: { path: '^(shared|migrations)/|^server/src/(?!redis/|tls/)' },
    },
    {
      name: 'tls-knows-no-other-folder',
      comment: 'Whatever connects to a server, or reads the configuration, builds on it.',
      severity: 'error',
      from: { path: '^server/src/tls/' },
      to: { path: '^(shared|migrations)/|^server/src/(?!tls/)' },
    },
    {
      name: 'redis-serves-connections',
      comment:
        'Error replies and scripts of Redis are the business of what talks to Redis; the live stream and the demo open connections of their own.',
      severity: 'error',
      from: { path: '^server/src/(?!(redis|cache|locks|checks|live|demo)/)' },
      to: { path: '^server/src/redis/' },
    },
    {
      name: 'capabilities-do-not-reach-outward',
      severity: 'error',
      from: {
        path: '^server/src/(writes|reads|locks|leases|cache|database|outbox|invalidations|audits|changelog|capture|replicas|rights|routing|identities)/',
        pathNot: '^server/src/replicas/(testing/|.*\\.test\\.ts$)',
      },
      to: { path: '^server/src/(edge|api|live|metrics|health|cli|demo|embedded|config|main)' },
    },
    {
      name: 'capabilities-meet-at-ports',
      comment: 'One capability may import another one only through its port.ts or index.ts.',
      severity: 'error',
      from: { path: capability, pathNot: '\\.(test|conformance)\\.ts$|/testing/' },
      to: {
        path: '^server/src/(writes|reads|locks|leases|cache|database|outbox|invalidations|audits|changelog|capture|replicas|rights|routing|identities)/',
        pathNot: ['^server/src/$1/', '/(port|index)\\.ts$'],
      },
    },
    {
      name: 'jobs-know-no-capability',
      comment:
        'Every background job is built on `jobs`; it knows the database only by the port that runs SQL.',
      severity: 'error',
      from: { path: '^server/src/jobs/', pathNot: '\\.(test|conformance)\\.ts$|/testing/' },
      to: { path: '^server/src/(?!jobs/|domain/|runtime/|database/index\\.ts$)' },
    },
    {
      name: 'dialects-stand-apart',
      comment: 'What databases have in common is in the capabilities.',
      severity: 'error',
      from: { path: '^server/src/dialects/([^/]+)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^server/src/dialects/', pathNot: '^server/src/dialects/$1/' },
    },
    {
      name: 'dialects-give-what-capabilities-ask-for',
      comment: 'A dialect knows the engine that asks it, and nothing of who runs the engine.',
      severity: 'error',
      from: { path: '^server/src/dialects/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^server/src/(?!(dialects|database|changelog|replicas|capture|rights|domain|runtime|tls)/)',
      },
    },
    {
      name: 'dialects-are-chosen-once',
      comment:
        'Only dialects/index.ts knows which databases there are; a capability asks the dialect of the connection it is given.',
      severity: 'error',
      from: {
        path: '^server/src/(?!dialects/)',
        pathNot: '\\.(test|conformance)\\.ts$|/testing/',
      },
      to: { path: '^server/src/dialects/(?!index\\.ts$)' },
    },
    {
      name: 'dialects-are-above-capabilities',
      severity: 'error',
      from: {
        path: '^server/src/(database|changelog|replicas|capture|rights|jobs|writes|reads|locks|leases|cache|outbox|invalidations|audits|routing|identities|guards|switching|refreshes|adoption)/',
        pathNot: '\\.(test|conformance)\\.ts$|/testing/',
      },
      to: { path: '^server/src/dialects/' },
    },
    {
      name: 'statements-know-no-connection',
      severity: 'error',
      from: { path: '^server/src/database/statements/', pathNot: '\\.test\\.ts$' },
      to: { path: '^server/src/(?!domain/|database/statements/)' },
    },
    {
      name: 'connections-know-no-rows',
      severity: 'error',
      from: { path: '^server/src/database/connections/', pathNot: '\\.test\\.ts$' },
      to: { path: '^server/src/database/(write|queries|configuration)/' },
    },
    {
      name: 'web-frameworks-at-the-edge',
      severity: 'error',
      from: { pathNot: '^server/src/(api|live|metrics|health|main)|^dashboard/dev/' },
      to: { path: 'node_modules/(express|socket\\.io|helmet|express-rate-limit)/' },
    },
    {
      name: 'drivers-in-adapters',
      severity: 'error',
      from: {
        // Tests, benchmarks and the testkit go to the servers behind Lockstep's back.
        path: '^(server|shared|migrations|dashboard|lab|checkers|simulation)/',
        pathNot:
          '/(redis|knex|redlock)[^/]*\\.ts$|/adapters?/|/testing/|^server/src/(embedded|live|database|dialects|redis)/|\\.test\\.ts$',
      },
      to: {
        path: 'node_modules/(ioredis|redlock|knex|pg|mysql2)/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'migrations-stand-alone',
      severity: 'error',
      from: { path: '^migrations/' },
      to: {
        path: '^(server|shared|dashboard|checkers|simulation|e2e|bench|conformance|lab|testkit)/',
      },
    },
    {
      name: 'dashboard-knows-only-shared-and-lab',
      severity: 'error',
      from: { path: '^dashboard/' },
      to: {
        path: '^(server|migrations|checkers|simulation|e2e|conformance|testkit)/|^bench/(?!results/)',
      },
    },
    {
      name: 'only-tests-know-the-testkit',
      comment:
        'What only tests use is in testkit/, the controls among it, and nothing that ships imports it.',
      severity: 'error',
      from: {
        path: '^(server|shared|migrations|dashboard|lab|checkers)/',
        pathNot: '\\.(test|conformance)\\.ts$|/testing/',
      },
      to: { path: '^testkit/' },
    },
    {
      name: 'testkit-knows-only-what-it-starts-and-replaces',
      severity: 'error',
      from: { path: '^testkit/' },
      to: {
        path: '^(dashboard|checkers|simulation|e2e|bench|conformance|lab)/|^server/.*/testing/',
      },
    },
    {
      name: 'proofs-do-not-lean-on-each-other',
      comment:
        'Simulation, end-to-end tests, benchmarks and the conformance kit share the testkit only.',
      severity: 'error',
      from: { path: '^(simulation|e2e|bench|conformance)/' },
      to: { path: '^(simulation|e2e|bench|conformance|dashboard)/', pathNot: '^$1/' },
    },
    {
      name: 'doubles-stay-with-their-tests',
      comment:
        'A folder `testing` serves the tests beside it, and those of the dialects, which are the other half of their capabilities. What the tests of two folders share is in testkit/.',
      severity: 'error',
      from: { path: '^server/src/([^/]+)/', pathNot: '^server/src/dialects/.*\\.test\\.ts$' },
      to: { path: '^server/src/.*testing/', pathNot: '^server/src/$1/' },
    },
    {
      name: 'doubles-serve-no-other-package',
      severity: 'error',
      from: { pathNot: '^(server|checkers)/' },
      to: { path: '^(server|checkers)/.*testing/' },
    },
    {
      name: 'edges-import-no-test',
      severity: 'error',
      from: { pathNot: '\\.(test|spec|conformance)\\.ts$|/testing/|^adapters/[^/]+/test/' },
      to: { path: '\\.(test|spec|conformance)\\.ts$|/testing/' },
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
