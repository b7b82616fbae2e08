export const faultKinds = ['errcode', 'http', 'timeout', 'slow', 'html', 'empty', 'reset', 'lost-answer'] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  /** A path, or its end (`jscode2session`), or `*`. */
  readonly endpoint: string;
  /** One app's calls only; null for everybody's. */
  readonly appId: string | null;
  readonly kind: FaultKind;
  readonly errcode: number;
  readonly status: number;
  readonly delayMs: number;
  times: number;
}

/** What shall go wrong, oldest order first. */
export class Faults {
  readonly #faults: Fault[] = [];

  order(fault: Fault): void {
    this.#faults.push(fault);
  }

  clear(): void {
    this.#faults.length = 0;
  }

  list(): readonly Fault[] {
    return this.#faults;
  }

  /** The fault this call meets, counted as met. */
  take(path: string, appId: string | null): Fault | undefined {
    const position = this.#faults.findIndex(
      (fault) => matches(fault.endpoint, path) && (fault.appId === null || fault.appId === appId),
    );
    const fault = this.#faults[position];
    if (fault === undefined) return undefined;
    fault.times -= 1;
    if (fault.times <= 0) this.#faults.splice(position, 1);
    return fault;
  }
}

function matches(endpoint: string, path: string): boolean {
  return endpoint === '*' || path === endpoint || path.endsWith(`/${endpoint.replace(/^\//, '')}`);
}
