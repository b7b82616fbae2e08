import { Agent, request } from 'node:http';

export interface Load {
  readonly url: string;
  readonly key?: string;
  readonly connections: number;
  readonly durationMs: number;
  /** The body of the n-th request. */
  readonly body: (index: number) => string;
  /** Called once with a first answer, to check that the right thing is measured. */
  readonly check?: (status: number, body: string) => void;
}

export interface Measured {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers other than 200. */
  readonly errors: number;
}

/** Keeps every connection busy with one request at a time, like wrk: a closed loop, latency as a caller sees it. */
export async function load(options: Load): Promise<Measured> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections });
  const latencies: number[] = [];
  const until = performance.now() + options.durationMs;
  let next = 0;
  let errors = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < until) {
      const index = next++;
      const started = performance.now();
      const { status, body } = await post(agent, options, options.body(index));
      latencies.push(performance.now() - started);
      if (status !== 200) errors += 1;
      if (index === 0) options.check?.(status, body);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: options.connections }, lane));
  const seconds = (performance.now() - began) / 1000;
  agent.destroy();
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { requestsPerSecond: latencies.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99), errors };
}

function post(agent: Agent, { url, key }: Load, body: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    };
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
