import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly query: Readonly<Record<string, string>>;
  readonly contentType: string | null;
  readonly body: string;
}

/** How the receiver answers the next push: with a text, with a status, or not at all. */
export type Answer = { readonly text: string } | { readonly status: number } | 'hang up' | 'endless';

/** An app's back end: keeps what is pushed to it and answers as it was told, in the end with success. */
export class Receiver {
  readonly received: Received[] = [];
  answers: Answer[] = [];
  #arrived: () => void = () => undefined;

  private constructor(private readonly server: Server) {}

  static async open(): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        receiver.received.push({
          query: Object.fromEntries(new URL(request.url ?? '/', 'http://receiver').searchParams),
          contentType: request.headers['content-type'] ?? null,
          body: Buffer.concat(chunks).toString(),
        });
        receiver.#arrived();
        const answer = receiver.answers.shift() ?? { text: 'success' };
        if (answer === 'hang up') request.socket.destroy();
        else if (answer === 'endless') pour(response);
        else if ('status' in answer) response.writeHead(answer.status).end();
        else response.end(answer.text);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/push/wx?tenant=acme`;
  }

  /** Settles with the next push. */
  async next(): Promise<void> {
    return new Promise((resolve) => (this.#arrived = resolve));
  }

  reset(...answers: readonly Answer[]): void {
    this.received.length = 0;
    this.answers = [...answers];
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** As much as the other side takes. */
function pour(response: ServerResponse): void {
  while (!response.destroyed && response.write('x'.repeat(65_536)));
  if (!response.destroyed) response.once('drain', () => pour(response));
}
