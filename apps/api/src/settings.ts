import { integer, readSettings, rules, shared, text, tracing } from '#settings';

export type ApiSettings = ReturnType<typeof readApiSettings>;

/** Everything the API process can be told. Refuses to start with the variable's name; secrets are never printed. */
export function readApiSettings(env: NodeJS.ProcessEnv) {
  return readSettings(env, {
    ...shared,
    ...rules,
    ...tracing,
    port: integer('PORT', { min: 0, max: 65_535, fallback: 3000 }),
    operatorApiKey: text('OPERATOR_API_KEY', {
      pattern: /^[\x21-\x7e]{32,512}$/,
      allowed: 'at least 32 visible characters, or not set',
      fallback: null,
      secret: true,
    }),
    rateLimitPerKeyPerSecond: integer('RATE_LIMIT_PER_KEY_PER_SECOND', { min: 0, max: 1_000_000, fallback: 0 }),
    signingKeyRotateDays: integer('SIGNING_KEY_ROTATE_DAYS', { min: 0, max: 3650, fallback: 30 }),
  });
}
