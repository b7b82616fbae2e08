import { randomBytes } from 'node:crypto';

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** Where a span hangs: W3C Trace Context, version 00. */
export interface SpanPlace {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

export interface SpanEnd {
  /** Where it is known only now. */
  readonly name?: string;
  readonly attributes?: Attributes;
  readonly hasFailed?: boolean;
}

export interface FinishedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly kind: SpanKind;
  /** Nanoseconds since 1970, as text: more digits than a number holds. */
  readonly startNs: string;
  readonly endNs: string;
  readonly attributes: Attributes;
  readonly hasFailed: boolean;
}

const pattern = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Null for what is none, also for the all-zero ids that mean "none". */
export function parseTraceparent(text: string | null | undefined): SpanPlace | null {
  const [, traceId, spanId, flags] = pattern.exec(text ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId) || text?.startsWith('ff') === true) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Wall-clock nanoseconds with the resolution of the monotonic clock. */
const startedAtMs = performance.timeOrigin;
const nsBefore = (agoMs: number): string => {
  const ms = startedAtMs + performance.now() - agoMs;
  const whole = Math.floor(ms);
  return String(BigInt(whole) * 1_000_000n + BigInt(Math.floor((ms - whole) * 1e6)));
};

/** Something that takes time. Ended once; what comes after that is ignored. */
export class Span implements SpanPlace {
  readonly traceId: string;
  readonly spanId = randomBytes(8).toString('hex');
  readonly isSampled: boolean;
  private readonly startNs: string;
  private hasEnded = false;

  constructor(
    private readonly what: {
      readonly name: string;
      readonly kind: SpanKind;
      readonly parent: SpanPlace | null;
      readonly isSampled: boolean;
      /** How long ago it began; left out: now. */
      readonly agoMs?: number;
      readonly onEnd: (span: FinishedSpan) => void;
    },
  ) {
    this.traceId = what.parent?.traceId ?? randomBytes(16).toString('hex');
    this.isSampled = what.isSampled;
    this.startNs = nsBefore(what.agoMs ?? 0);
  }

  get traceparent(): string {
    return `00-${this.traceId}-${this.spanId}-0${this.isSampled ? 1 : 0}`;
  }

  end({ name, attributes = {}, hasFailed = false }: SpanEnd = {}): void {
    if (this.hasEnded || !this.isSampled) return;
    this.hasEnded = true;
    const { parent, kind, onEnd } = this.what;
    onEnd({
      traceId: this.traceId,
      spanId: this.spanId,
      parentSpanId: parent?.spanId ?? null,
      name: name ?? this.what.name,
      kind,
      startNs: this.startNs,
      endNs: nsBefore(0),
      attributes,
      hasFailed,
    });
  }
}
