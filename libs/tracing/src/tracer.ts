import { AsyncLocalStorage } from 'node:async_hooks';
import { OtlpExporter } from './otlp-exporter.js';
import type { SpanEnd, SpanKind, SpanPlace } from './span.js';
import { Span } from './span.js';

/** As the environment says it, in OpenTelemetry's own variables. */
export interface TracingSettings {
  /** Of an OTLP/HTTP receiver, without `/v1/traces`. */
  readonly otlpEndpoint: string;
  /** `name=value,…`, values percent-encoded. */
  readonly otlpHeaders: string;
  readonly otelServiceName: string;
  /** Of the traces that begin here, how many are kept, 0 to 1; who calls us with a trace has decided. */
  readonly otelSamplerRatio: string;
}

/**
 * Spans of this process, by OTLP over HTTP in JSON. Written here instead of taken from the OpenTelemetry SDK: its current
 * line wants Node 22, the one before an API that another package of ours has left behind, and either is 20 MB for what are
 * a random number, two clocks and a POST.
 */
export class Tracer {
  private readonly current = new AsyncLocalStorage<Span>();
  private readonly exporter: OtlpExporter;

  private readonly ratio: number;

  constructor(settings: TracingSettings, serviceName: string, onProblem: (reason: string, dropped: number) => void) {
    this.ratio = Number(settings.otelSamplerRatio);
    this.exporter = new OtlpExporter({
      url: `${settings.otlpEndpoint.replace(/\/$/, '')}/v1/traces`,
      headers: headersOf(settings.otlpHeaders),
      serviceName: settings.otelServiceName === '' ? serviceName : settings.otelServiceName,
      onProblem,
    });
  }

  /** `parent` left out: the span that runs; null: a trace of its own. */
  start(name: string, kind: SpanKind, parent: SpanPlace | null = this.current.getStore() ?? null): Span {
    const isSampled = parent?.isSampled ?? Math.random() < this.ratio;
    return new Span({ name, kind, parent, isSampled, onEnd: (span) => this.exporter.add(span) });
  }

  /** Null where nothing is traced just now: what nobody asked for has no trace. */
  startWithin(name: string, kind: SpanKind): Span | null {
    const parent = this.current.getStore();
    return parent?.isSampled === true ? this.start(name, kind, parent) : null;
  }

  within<T>(span: Span, work: () => T): T {
    return this.current.run(span, work);
  }

  /** What somebody else measured, and what ended just now. */
  record(name: string, kind: SpanKind, tookMs: number, end: SpanEnd): void {
    const parent = this.current.getStore();
    if (parent?.isSampled === true)
      new Span({ name, kind, parent, isSampled: true, agoMs: tookMs, onEnd: (span) => this.exporter.add(span) }).end(
        end,
      );
  }

  /** For a Database: a span for each statement that a traced request waits for. Statements hold no values. */
  readonly watch = (statement: string): ((hasFailed: boolean) => void) | null => {
    const span = this.startWithin(statement, 'client');
    if (span === null) return null;
    return (hasFailed) =>
      span.end({ hasFailed, attributes: { 'db.system.name': 'postgresql', 'db.query.summary': statement } });
  };

  /** Sends what is left. */
  close(): Promise<void> {
    return this.exporter.close();
  }
}

function headersOf(text: string): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair.includes('='));
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [name.trim(), decodeURIComponent(value.join('=').trim())];
    }),
  );
}
