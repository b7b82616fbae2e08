export type DispatcherOption = Pick<RequestInit, 'dispatcher'>;

type AgentConstructor = new (options: { connect: { timeout: number } }) => NonNullable<DispatcherOption['dispatcher']>;

const globalDispatcher = Symbol.for('undici.globalDispatcher.1');

/**
 * Gives fetch a connect timeout of its own. Node's default of 10 seconds is longer than the whole of a login may take,
 * and Node offers no setting for it without the undici package; its own agent class can be had from the dispatcher that
 * fetch publishes. Where the host has put another dispatcher there (a proxy), that one is left in charge.
 */
export async function connectTimeout(timeoutMs: number): Promise<DispatcherOption> {
  // The dispatcher appears with the first fetch; this one stays inside the process.
  await fetch('data:text/plain,');
  const dispatcher: unknown = Reflect.get(globalThis, globalDispatcher);
  if (typeof dispatcher !== 'object' || dispatcher === null || dispatcher.constructor.name !== 'Agent') return {};
  const Agent = dispatcher.constructor as AgentConstructor;
  return { dispatcher: new Agent({ connect: { timeout: timeoutMs } }) };
}
