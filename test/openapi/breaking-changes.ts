import { type Document, resolved, routesOf, type Schema } from './document.js';

/**
 * What a caller of `before` may miss in `after`: a route, a parameter, a field or a value of an answer that is gone; a field
 * or parameter of a request that became required.
 */
export function breakingChanges(before: Document, after: Document): string[] {
  const [old, now] = [factsOf(before), factsOf(after)];
  return [
    ...[...old.offers].filter((fact) => !now.offers.has(fact)).map((fact) => `gone: ${fact}`),
    ...[...now.demands].filter((fact) => !old.demands.has(fact)).map((fact) => `now required: ${fact}`),
  ];
}

interface Facts {
  readonly offers: Set<string>;
  readonly demands: Set<string>;
}

function factsOf(document: Document): Facts {
  const facts: Facts = { offers: new Set(), demands: new Set() };
  for (const { method, path, operation } of routesOf(document)) {
    const route = `${method.toUpperCase()} ${path}`;
    facts.offers.add(route);
    for (const { name, in: where, required } of operation.parameters ?? []) {
      facts.offers.add(`${route} ${where} ${name}`);
      if (required === true) facts.demands.add(`${route} ${where} ${name}`);
    }
    for (const { schema = {} } of Object.values(operation.requestBody?.content ?? {}))
      walk(document, schema, `${route} body`, (fact, isRequired) => {
        facts.offers.add(fact);
        if (isRequired) facts.demands.add(fact);
      });
    for (const [status, { content = {} }] of Object.entries(operation.responses))
      for (const { schema = {} } of Object.values(content))
        if (Number(status) < 300)
          walk(document, schema, `${route} ${status}`, (fact, isRequired) => {
            if (isRequired) facts.offers.add(fact);
          });
  }
  return facts;
}

const depthMax = 12;

function walk(
  document: Document,
  schema: Schema,
  place: string,
  tell: (fact: string, isRequired: boolean) => void,
  depth = 0,
): void {
  if (depth > depthMax) return;
  const { properties = {}, required = [], items, oneOf = [] } = resolved(document, schema);
  for (const [name, property] of Object.entries(properties)) {
    tell(`${place}.${name}`, required.includes(name));
    walk(document, property, `${place}.${name}`, tell, depth + 1);
  }
  if (items !== undefined) walk(document, items, `${place}[]`, tell, depth + 1);
  for (const one of oneOf) walk(document, one, place, tell, depth + 1);
}
