import type { Attributes, FinishedSpan, SpanKind } from './span.js';

/** Spans that wait at most: a receiver that is away must not fill our memory. */
const waitingMax = 4_096;
const batchMax = 512;
const everyMs = 1_000;
const answerWithinMs = 5_000;
const complainEveryMs = 60_000;
/** Of the ten seconds that a process has to stop. */
const closeWithinMs = 2_000;

/** SpanKind of OTLP. */
const kinds: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };
const statusError = 2;

export interface OtlpOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
  /** Once a minute at most. */
  readonly onProblem: (reason: string, dropped: number) => void;
}

/** Sends spans in batches, and drops them rather than wait: a trace is worth nothing that a request would have to pay for. */
export class OtlpExporter {
  private waiting: FinishedSpan[] = [];
  private timer: NodeJS.Timeout | null = null;
  private sending: Promise<void> = Promise.resolve();
  private dropped = 0;
  private complainedAt = -complainEveryMs;

  constructor(private readonly options: OtlpOptions) {}

  add(span: FinishedSpan): void {
    if (this.waiting.length >= waitingMax) {
      this.dropped += 1;
      return;
    }
    this.waiting.push(span);
    this.timer ??= setTimeout(() => this.flush(), everyMs).unref();
  }

  async close(): Promise<void> {
    this.flush();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closeWithinMs);
    });
    await Promise.race([this.sending, late]);
    clearTimeout(timer);
  }

  private flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.sending = this.sending.then(() => this.send());
  }

  private async send(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, batchMax);
      try {
        const answer = await fetch(this.options.url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...this.options.headers },
          body: JSON.stringify(requestOf(batch, this.options.serviceName)),
          signal: AbortSignal.timeout(answerWithinMs),
          redirect: 'error',
        });
        await answer.arrayBuffer();
        if (!answer.ok) this.lost(batch.length, `the receiver answered ${answer.status}`);
      } catch (error) {
        this.lost(batch.length, String(error));
      }
    }
  }

  private lost(count: number, reason: string): void {
    this.dropped += count;
    const now = performance.now();
    if (now - this.complainedAt < complainEveryMs) return;
    this.complainedAt = now;
    this.options.onProblem(reason, this.dropped);
    this.dropped = 0;
  }
}

/** ExportTraceServiceRequest in the JSON mapping of OTLP: ids in hex, 64-bit numbers as text. */
function requestOf(spans: readonly FinishedSpan[], serviceName: string): object {
  return {
    resourceSpans: [
      {
        resource: { attributes: attributesOf({ 'service.name': serviceName }) },
        scopeSpans: [{ scope: { name: 'unionlink' }, spans: spans.map(spanOf) }],
      },
    ],
  };
}

function spanOf(span: FinishedSpan): object {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId === null ? {} : { parentSpanId: span.parentSpanId }),
    name: span.name,
    kind: kinds[span.kind],
    startTimeUnixNano: span.startNs,
    endTimeUnixNano: span.endNs,
    attributes: attributesOf(span.attributes),
    ...(span.hasFailed ? { status: { code: statusError } } : {}),
  };
}

function attributesOf(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: valueOf(value) }));
}

function valueOf(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
