import { eventTypes, topics } from '#events';
import { eventDocument } from './event-document.js';
import { eventPage } from './event-page.js';

describe('The page of the events', () => {
  const page = eventPage(eventDocument('our.'));

  it('shows every topic under the name it has here, and every type with its shape', () => {
    for (const { name } of Object.values(topics)) expect(page).toContain(`<h2>our.${name}</h2>`);
    for (const type of eventTypes) expect(page.split(`>${type}</h3>`)).toHaveLength(3);
    expect(page).toContain('<code>movedIdentities</code>');
  });

  it('leads nowhere but to itself and to this service, and runs nothing', () => {
    const targets = [...page.matchAll(/href="([^"]*)"/g)].map((match) => String(match[1]));
    const ids = new Set([...page.matchAll(/ id="([^"]*)"/g)].map((match) => `#${String(match[1])}`));
    expect(targets.filter((target) => !ids.has(target) && !['/asyncapi.json', '/docs'].includes(target))).toEqual([]);
    expect(ids.size).toBe(page.match(/ id="/g)?.length);
    expect(page).not.toMatch(/<script|src=|https?:/);
  });

  it('shows no text as markup', () => {
    const document = eventDocument('<b>');
    expect(eventPage(document)).not.toContain('<b>identity');
  });
});
