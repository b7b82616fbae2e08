import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseTraceparent, Tracer } from './index.js';

const [traceId, spanId] = ['a'.repeat(32), 'b'.repeat(16)];

describe('A trace', () => {
  it('is taken over from what a caller sends, and from nothing else', () => {
    expect(parseTraceparent(`00-${traceId}-${spanId}-01`)).toEqual({ traceId, spanId, isSampled: true });
    expect(parseTraceparent(`00-${traceId}-${spanId}-00`)).toEqual({ traceId, spanId, isSampled: false });
    for (const none of [
      null,
      undefined,
      '',
      'x',
      `00-${'0'.repeat(32)}-${spanId}-01`,
      `00-${traceId}-${'0'.repeat(16)}-01`,
      `ff-${traceId}-${spanId}-01`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
      `00-${traceId}-${spanId}-01 `,
    ])
      expect([none, parseTraceparent(none)]).toEqual([none, null]);
  });

  it('is dropped, and complained of once, where the receiver refuses it or is away', async () => {
    let asked = 0;
    const server = createServer((_request, response) => {
      asked += 1;
      response.writeHead(503).end();
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const otlpEndpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const said: unknown[] = [];
    const settings = { otlpEndpoint, otlpHeaders: '', otelServiceName: '', otelSamplerRatio: '1' };
    const tracer = new Tracer(settings, 'spec', (...problem) => said.push(problem));
    tracer.start('one', 'server').end();
    await tracer.close();
    await new Promise((closed) => server.close(closed));
    tracer.start('two', 'server').end();
    await tracer.close();
    expect([asked, said]).toEqual([1, [['the receiver answered 503', 1]]]);
  });

  it('of our own is begun as often as the ratio says, and its parts are kept with it or not at all', () => {
    const settings = {
      otlpEndpoint: 'http://127.0.0.1:1',
      otlpHeaders: '',
      otelServiceName: '',
      otelSamplerRatio: '0',
    };
    const tracer = new Tracer(settings, 'spec', () => undefined);
    const root = tracer.start('root', 'server');
    expect(root.isSampled).toBe(false);
    expect(tracer.within(root, () => tracer.startWithin('part', 'client'))).toBeNull();
    expect(tracer.startWithin('nobody asked', 'client')).toBeNull();
    expect(root.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });
});
