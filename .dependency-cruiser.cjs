/** The table of rooms in docs/architecture.md, as rules that fail the build. */
const may = (room, ...rooms) => ({
  name: `${room.replace('/', '-')}-reaches-only-its-neighbours`,
  comment: `${room} may import: ${rooms.join(', ') || 'nothing of ours'}; a lib is entered only through its src/index.ts.`,
  severity: 'error',
  from: { path: `^${room}/` },
  to: {
    path: '^(apps|libs|test|tools)/',
    pathNot: [`^${room}/`, ...rooms.map((other) => `^libs/${other}/src/index\\.ts$`)],
  },
});

module.exports = {
  forbidden: [
    may('libs/events'),
    may('libs/settings'),
    may('libs/tracing'),
    may('libs/wechat'),
    may('libs/store', 'events'),
    may('libs/identity', 'events', 'store', 'wechat'),
    may('libs/consumer', 'events'),
    may('apps/api', 'events', 'identity', 'store', 'wechat', 'settings', 'tracing'),
    may('apps/relay', 'events', 'identity', 'store', 'settings', 'tracing'),
    may('apps/sandbox', 'wechat', 'settings'),
    may('apps/sibling', 'consumer', 'events', 'settings'),
    {
      name: 'no-circles',
      comment: 'A circle has no bottom to start reading from.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'A file nobody imports is either an entry point or dead.',
      severity: 'error',
      from: { orphan: true, pathNot: '(main|\\.d|\\.spec)\\.ts$|generated|^tools/' },
      to: {},
    },
    {
      name: 'decisions-are-pure',
      comment: 'A rule about people must be readable and testable without a database.',
      severity: 'error',
      from: { path: '\\.decision\\.ts$' },
      to: { pathNot: '\\.decision\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'only-the-store-knows-prisma',
      comment: 'One room knows how we remember; the others speak in sets.',
      severity: 'error',
      from: { pathNot: '^libs/store/|^prisma' },
      to: { path: 'node_modules/@prisma' },
    },
    {
      name: 'only-the-kafka-rooms-know-kafka',
      comment: 'KafkaJS has loss modes; the rules that avoid them live in two places only.',
      severity: 'error',
      from: { pathNot: '^apps/relay/|^libs/consumer/|^test/|^tools/' },
      to: { path: 'node_modules/kafkajs' },
    },
    {
      name: 'libs-do-not-serve-http',
      comment: 'A capability must not know by which door it was asked.',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: 'node_modules/(@nestjs/(swagger|platform-fastify)|fastify)/' },
    },
    {
      name: 'nobody-imports-tools',
      comment: 'Tools start and measure the product; the product does not know them.',
      severity: 'error',
      from: { path: '^(apps|libs)/' },
      to: { path: '^(tools|test)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: 'generated' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'node', 'default'] },
  },
};
