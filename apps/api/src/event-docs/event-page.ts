import type { Channel, EventDocument, Message, Schema } from './event-document.js';

/** Follows the reader's light or dark setting. */
export const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem 1.25rem 4rem; font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; } h3 { font-size: 1rem; margin: 1.2rem 0 .2rem; }
p { margin: .3rem 0; } .facts { opacity: .75; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
code { font-family: ui-monospace, monospace; font-size: 13px; background: var(--soft); border-radius: 4px; padding: 0 .25rem; }
`;

/** The AsyncAPI document as one page of HTML without a script: topics, what is on each, and the shapes. */
export function eventPage(document: EventDocument): string {
  const { info, channels, operations, components } = document;
  const topics = Object.entries(channels).map(([name, channel]) => {
    const isSent = operations[name]?.action === 'send';
    return topicSection(channel, isSent, components.messages);
  });
  const shapes = Object.entries(components.schemas).map(
    ([name, schema]) => `<h3 id="${idOf(name)}">${escaped(name)}</h3>${described(schema)}${shapeOf(schema)}`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${escaped(info.title)}</title><style>${style}</style></head>
<body><h1>${escaped(info.title)} <small>${escaped(info.version)}</small></h1><p>${escaped(info.description)}</p>
<p>The same for programs: <a href="/asyncapi.json">asyncapi.json</a> (AsyncAPI 3). The API: <a href="/docs">docs</a>.</p>
<p>Headers of what is sent: <a href="#${idOf('cloud-event-headers')}">CloudEvents attributes</a>.</p>
${topics.join('\n')}<h2>Shapes</h2>${shapes.join('\n')}</body></html>`;
}

function topicSection(channel: Channel, isSent: boolean, messages: Readonly<Record<string, Message>>): string {
  const { partitions, topicConfiguration } = channel.bindings.kafka;
  const facts = [
    isSent ? 'sent by this service' : 'read by this service',
    `cleanup.policy ${topicConfiguration['cleanup.policy'].join(', ')}`,
    `${partitions} partitions`,
  ];
  const parts = Object.keys(channel.messages).map((name) => messageSection(messages[name]));
  return `<h2>${escaped(channel.address)}</h2><p>${escaped(channel.description)}</p><p class="facts">${facts.join(' · ')}</p>${parts.join('')}`;
}

function messageSection(message: Message | undefined): string {
  if (message === undefined) return '';
  const refs = [message.payload, message.headers].filter((part) => part !== undefined).map(typeOf);
  return `<h3 id="${idOf(`message-${message.name}`)}">${escaped(message.name)}</h3>${message.summary === undefined ? '' : `<p>${escaped(message.summary)}</p>`}<p>${refs.join(', ')}</p>`;
}

function described({ description }: Schema): string {
  return description === undefined ? '' : `<p>${escaped(description)}</p>`;
}

function shapeOf(schema: Schema): string {
  const { properties, required = [] } = schema;
  if (properties === undefined) return `<p>${typeOf(schema)}</p>`;
  const rows = Object.entries(properties).map(
    ([name, property]) =>
      `<tr><td><code>${escaped(name)}</code>${required.includes(name) ? '' : ' <small>optional</small>'}</td><td>${typeOf(property)}</td><td>${escaped(property.description ?? '')}</td></tr>`,
  );
  return `<table>${rows.join('')}</table>`;
}

function typeOf(schema: Schema): string {
  const { $ref, oneOf, items, enum: values, type, format } = schema;
  if ($ref !== undefined) {
    const name = $ref.slice($ref.lastIndexOf('/') + 1);
    return `<a href="#${idOf(name)}">${escaped(name)}</a>`;
  }
  if (oneOf !== undefined) return oneOf.map(typeOf).join(' or ');
  if (values !== undefined) return values.map((value) => `<code>${escaped(JSON.stringify(value))}</code>`).join(' or ');
  if ('const' in schema) return `<code>${escaped(JSON.stringify(schema.const))}</code>`;
  if (items !== undefined) return `list of ${typeOf(items)}`;
  const names = typeof type === 'string' ? [type] : (type ?? []);
  return escaped(`${names.join(' or ') || 'anything'}${format === undefined ? '' : ` (${format})`}`);
}

const idOf = (name: string): string => name.replace(/[^A-Za-z0-9]+/g, '-');

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => entities[character] ?? '');
