import { Injectable } from '@nestjs/common';
import type { Tally } from '#identity';
import type { CallReport } from '#wechat';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What /metrics shows of this process. Labels are routes and outcomes, never an id. */
@Injectable()
export class Metrics implements Tally {
  readonly registry = new Registry();
  private readonly requests: Histogram<'method' | 'route' | 'status'>;
  private readonly outcomes: Counter<'outcome'>;
  private readonly steps: Counter<'type'>;
  /** Every replica shows the same number: take the maximum, not the sum. */
  readonly overdueAcknowledgements: Gauge;
  /** Also the same on every replica, as the next one. */
  readonly openConflicts: Gauge;
  readonly parkedPushes: Gauge;
  /** Of this process alone. */
  readonly eventStreams: Gauge;
  private readonly wechatCalls: Histogram<'endpoint' | 'errcode'>;

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.requests = new Histogram({
      name: 'unionlink_http_request_duration_seconds',
      help: 'Requests by route and status',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [this.registry],
    });
    this.outcomes = new Counter({
      name: 'unionlink_resolve_outcomes_total',
      help: 'Observations by outcome or refusal',
      labelNames: ['outcome'],
      registers: [this.registry],
    });
    this.steps = new Counter({
      name: 'unionlink_user_steps_total',
      help: 'Committed steps of users by event type: UserMerged counts the merges',
      labelNames: ['type'],
      registers: [this.registry],
    });
    this.openConflicts = new Gauge({
      name: 'unionlink_open_conflicts',
      help: 'Conflicts that wait for a decision',
      registers: [this.registry],
    });
    this.parkedPushes = new Gauge({
      name: 'unionlink_parked_pushes',
      help: 'Pushes of WeChat that could not be read or handled; kept for 30 days, counted up to 10000',
      registers: [this.registry],
    });
    this.overdueAcknowledgements = new Gauge({
      name: 'unionlink_overdue_acknowledgements',
      help: 'Merges, reverts and erasures that a participant has not confirmed in time; counted up to 10000',
      registers: [this.registry],
    });
    this.eventStreams = new Gauge({
      name: 'unionlink_event_streams',
      help: 'Open streams of /v1/events',
      registers: [this.registry],
    });
    this.wechatCalls = new Histogram({
      name: 'unionlink_wechat_call_duration_seconds',
      help: 'Calls of WeChat by endpoint and errcode (0: success)',
      labelNames: ['endpoint', 'errcode'],
      buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers: [this.registry],
    });
  }

  resolved(outcome: string): void {
    this.outcomes.inc({ outcome });
  }

  stepped(eventType: string): void {
    this.steps.inc({ type: eventType.replace(/^identity\.(\w+)\.v\d+$/, '$1') });
  }

  wechatCall(report: CallReport): void {
    const errcode = report.errcode === null ? 'none' : String(report.errcode);
    this.wechatCalls.observe({ endpoint: report.endpoint, errcode }, report.durationMs / 1000);
  }

  request(method: string, route: string, status: number, seconds: number): void {
    this.requests.observe({ method, route, status: String(status) }, seconds);
  }
}
