/** The database cannot be asked just now (away, starting, full, out of connections): the caller answers 503, not 500. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';
}

/** What two transactions do to each other in the ordinary course of things: run it again. */
const contention = new Set(['40001', '40P01', '55P03', '23505']);
/** Classes 08 (connection), 53 (resources: connections, disk, memory), 57 (shutdown, starting, time-out), 58 (I/O). */
const unavailable = /^(08|53|57|58)/;
/** A lock that was not to be had in the time of all tries; a transaction that the server ended for standing idle. */
const outOfTime = new Set(['55P03', '25P03']);
const unavailableNode = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN']);
/** What pg itself says, without a code, when a connection ends or none comes free in time. */
const unavailableText =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection/;
/** What Prisma's adapter makes of an error of the socket, whose code it drops. */
const unavailableKinds = new Set(['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TlsConnectionError']);
const sqlState = /^[0-9A-Z]{5}$/;
const causesMax = 6;

interface Fault {
  readonly code?: unknown;
  readonly originalCode?: unknown;
  readonly severity?: unknown;
  readonly kind?: unknown;
  readonly message?: unknown;
  readonly originalMessage?: unknown;
  readonly cause?: unknown;
  readonly meta?: { readonly driverAdapterError?: unknown } | null;
}

/** pg's error as it is, or inside what Prisma wraps it into. */
function* causesOf(error: unknown): Generator<Fault> {
  let next = error;
  for (let depth = 0; depth < causesMax && typeof next === 'object' && next !== null; depth += 1) {
    const fault: Fault = next;
    yield fault;
    next = fault.meta?.driverAdapterError ?? fault.cause;
  }
}

function codeOf({ code, originalCode }: Fault): string {
  if (typeof originalCode === 'string') return originalCode;
  return typeof code === 'string' ? code : '';
}

export function isUnavailable(error: unknown): boolean {
  return [...causesOf(error)].some((fault) => {
    if (fault instanceof DatabaseUnavailable) return true;
    const code = codeOf(fault);
    if (unavailable.test(code) || unavailableNode.has(code) || outOfTime.has(code)) return true;
    // The server let nobody in (a wrong password, a database that takes no connections), or threw us out.
    if (fault.severity === 'FATAL' || fault.severity === 'PANIC') return true;
    if (typeof fault.kind === 'string' && unavailableKinds.has(fault.kind)) return true;
    return [fault.message, fault.originalMessage].some(
      (text) => typeof text === 'string' && unavailableText.test(text),
    );
  });
}

/** True for what the same statement may survive a moment later: a lost race, never a lost connection. */
export function isContention(error: unknown): boolean {
  const [fault] = causesOf(error);
  return fault !== undefined && contention.has(codeOf(fault));
}

/**
 * True for what trying again will not mend: data that a column or a constraint does not take (classes 22 and 23), and
 * bugs of ours. False for any state of the server, also one that only a human will change.
 */
export function isDataFault(error: unknown): boolean {
  if (isUnavailable(error) || isContention(error)) return false;
  const [fault] = causesOf(error);
  const code = fault === undefined ? '' : codeOf(fault);
  return sqlState.test(code) ? /^2[23]/.test(code) : true;
}
