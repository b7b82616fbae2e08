import type { FastifyRequest } from 'fastify';
import { cloudHeaderNames } from '#wechat';
import type { CloudHeaders } from '#wechat';

/** The only route that looks at WeChat's headers. */
export const cloudHostingPath = '/v1/logins/cloud-hosting';

/** They are what the request says, as a body is elsewhere: an Idempotency-Key is one person's too. */
export function cloudHeadersOf({ headers }: Pick<FastifyRequest, 'headers'>): CloudHeaders {
  return Object.fromEntries(
    cloudHeaderNames.flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}
