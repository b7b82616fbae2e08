/** Where the follower tells what it does; fits pino, console and Nest's logger with one line. Never an openId. */
export type Log = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;
