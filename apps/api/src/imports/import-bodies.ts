import type { FastifyAdapter } from '@nestjs/platform-fastify';

/** What the files of an import are, and what they are called here. */
export const importFormats = {
  'application/x-ndjson': 'ndjson',
  'text/csv': 'csv',
} as const;

const path = '/v1/imports';

/** Imports take files as text. Everywhere else these types stay unsupported. */
export function takeImportFiles(adapter: FastifyAdapter): void {
  const fastify = adapter.getInstance();
  fastify.addContentTypeParser(Object.keys(importFormats), { parseAs: 'string' }, (request, body, done) => {
    if (request.routeOptions.url === path) done(null, body);
    else done(Object.assign(new Error('unsupported media type'), { statusCode: 415 }));
  });
}
