import { readFileSync } from 'node:fs';
import { problems } from './problem-table.js';

describe('docs/errors.md', () => {
  it('has the cure of every code, with its status, and no other', () => {
    const page = readFileSync(new URL('../../../../../docs/errors.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `(\w+)`\s*\| (\d{3})\s*\| (.+?)\s*\|$/gm)];
    const documented = Object.fromEntries(rows.map(([, code, status]) => [code, Number(status)]));
    const known = Object.fromEntries(Object.entries(problems).map(([code, { status }]) => [code, status]));
    expect(documented).toEqual(known);
  });
});
