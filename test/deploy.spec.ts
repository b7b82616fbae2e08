import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** From dist/test to the repository's root. */
const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const all = (text: string, pattern: RegExp): Set<string> =>
  new Set([...text.matchAll(pattern)].map(([whole, part]) => part ?? whole));

const alerts = read('deploy/prometheus/alerts.yml');
const dashboard = read('deploy/grafana/unionlink.json');
const operating = read('docs/operating.md');
const exported = all(
  read('apps/api/src/operation/metrics.ts') + read('apps/relay/src/operation/metrics.ts'),
  /name: '(unionlink_\w+)'/g,
);
/** What Prometheus makes of a histogram. */
const bare = (name: string): string => name.replace(/_(bucket|count|sum)$/, '');
const unknown = (text: string): string[] =>
  [...all(text, /\bunionlink_\w+/g)].filter((name) => !exported.has(name) && !exported.has(bare(name)));
/** As GitHub makes an anchor of a heading of one word. */
const anchors = new Set([...all(operating, /^#+ (\w+)$/gm)].map((heading) => heading.toLowerCase()));

describe('What operators read', () => {
  it('asks for no metric that neither the API nor the relay shows', () => {
    expect(exported.size).toBeGreaterThan(8);
    expect([unknown(alerts), unknown(dashboard), unknown(operating)]).toEqual([[], [], []]);
  });

  it('has one section on each alert, and each alert leads to its own', () => {
    const names = [...all(alerts, /- alert: (\w+)/g)];
    const runbooks = [...all(alerts, /runbook: docs\/operating\.md#(\w+)/g)];
    expect(names.length).toBeGreaterThan(10);
    expect(runbooks).toEqual(names.map((name) => name.toLowerCase()));
    expect(runbooks.filter((anchor) => !anchors.has(anchor))).toEqual([]);
  });

  it('has a dashboard in which no two panels are one, each over a query', () => {
    const { panels } = JSON.parse(dashboard) as { panels: { id: number; targets: { expr: string }[] }[] };
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(panels.filter(({ targets }) => targets.length === 0 || targets.some(({ expr }) => expr === ''))).toEqual([]);
  });

  it('starts what the image has, and sets what a process understands', () => {
    const folder = 'deploy/kubernetes/';
    const manifests = readdirSync(new URL(folder, root)).map((file) => read(folder + file));
    const text = manifests.join('\n---\n');
    for (const program of all(text, /args: \[dist\/(\S+)\.js\]/g)) expect(read(`${program}.ts`)).not.toBe('');
    const settings = ['libs/settings/src/index.ts', 'apps/api/src/settings.ts', 'apps/relay/src/settings.ts'].map(read);
    const understood = all(settings.join('\n'), /'([A-Z][A-Z_]+)'/g);
    const set = [...all(text, /^ {2}([A-Z][A-Z_]+):/gm), ...all(text, /name: ([A-Z][A-Z_]+)/g)];
    expect(set.length).toBeGreaterThan(5);
    expect(set.filter((name) => !understood.has(name))).toEqual([]);
  });

  it('points at no file that is not there', () => {
    const named = [...all(read('docs/security.md'), /`((?:apps|docs|libs|test)\/[\w./-]+)`/g)];
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
  });

  it('names every setting of the API and the relay', () => {
    const settings = ['libs/settings/src/index.ts', 'apps/api/src/settings.ts', 'apps/relay/src/settings.ts'].map(read);
    const understood = [...all(settings.join('\n'), /(?:text|integer|oneOf|[sS]ecretsKey)\('([A-Z][A-Z_]+)'/g)];
    expect(understood.length).toBeGreaterThan(15);
    expect(understood.filter((name) => !operating.includes(`\`${name}\``))).toEqual([]);
  });
});
