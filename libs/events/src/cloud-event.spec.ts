import fc from 'fast-check';
import type { Envelope } from './index.js';
import { fromHeaders, fromStructured, toHeaders, toStructured, topicName, topics, UnreadableEvent } from './index.js';

const event: Envelope = {
  id: '019abf60-0000-7c01-ac44-000000000001',
  entityId: 'acme',
  type: 'identity.UserUnlinked.v1',
  time: '2026-11-23T08:00:00.000Z',
  subject: '019abf3c-5f10-7a01-8c44-000000000001',
  key: '019abf3c-5f10-7a01-8c44-000000000001',
  version: 7,
  epoch: 2,
  causationId: 'req-1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  data: { userId: '019abf3c-5f10-7a01-8c44-000000000001', version: 7 },
};

describe('CloudEvents', () => {
  it('travel on Kafka with exactly the headers of the contract', () => {
    expect(toHeaders(event)).toEqual({
      ce_specversion: '1.0',
      ce_id: event.id,
      ce_source: '/identity/acme',
      ce_type: 'identity.UserUnlinked.v1',
      ce_time: event.time,
      ce_subject: event.subject,
      ce_partitionkey: event.key,
      ce_sequence: '0000000007',
      ce_epoch: '2',
      ce_entityid: 'acme',
      ce_dataschema: 'urn:unionlink:schemas:identity.UserUnlinked.v1',
      ce_causationid: 'req-1',
      traceparent: event.traceparent,
      'content-type': 'application/json',
    });
  });

  it('leave out what there is not: a notice about nobody has no sequence and no subject', () => {
    const notice = { ...event, subject: null, version: null, causationId: null, traceparent: null };
    const absent = ['ce_sequence', 'ce_subject', 'ce_causationid', 'traceparent'];
    expect(Object.keys(toHeaders(notice)).filter((name) => absent.includes(name))).toEqual([]);
    expect(Object.values(toStructured(notice))).not.toContain(null);
  });

  it('come back from Kafka and from the feed as they went', () => {
    const text = fc.stringMatching(/^[A-Za-z0-9._:-]{1,40}$/);
    const anEvent = fc.record({
      id: fc.uuid(),
      entityId: text,
      type: text,
      time: text,
      subject: fc.option(text),
      key: text,
      version: fc.option(fc.integer({ min: 1, max: 2_000_000_000 })),
      epoch: fc.nat(),
      causationId: fc.option(text),
      traceparent: fc.option(text),
      data: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown),
    });
    fc.assert(
      fc.property(anEvent, fc.boolean(), (any, asBuffers) => {
        const headers = Object.entries(toHeaders(any));
        const received = headers.map(([name, value]) => [name, asBuffers ? Buffer.from(value) : [value]] as const);
        expect(fromHeaders(Object.fromEntries(received), Buffer.from(JSON.stringify(any.data)))).toEqual(any);
        expect(fromStructured(JSON.parse(JSON.stringify(toStructured(any))))).toEqual(any);
      }),
    );
  });

  it('lack an optional attribute whose header has no value, as a connector writes it', () => {
    const headers = { ...toHeaders(event), ce_sequence: null, ce_subject: null, traceparent: null };
    expect(fromHeaders(headers, '{}')).toMatchObject({ version: null, subject: null, traceparent: null });
  });

  it.each(['ce_id', 'ce_type', 'ce_time', 'ce_partitionkey', 'ce_epoch', 'ce_specversion'])(
    'are refused without %s, and the refusal names it',
    (name) => {
      const { [name]: _left, ...headers } = toHeaders(event);
      expect(() => fromHeaders(headers, '{}')).toThrow(UnreadableEvent);
      expect(() => fromHeaders(headers, '{}')).toThrow(name.replace('ce_', ''));
    },
  );

  it('are refused when the value is not JSON or a number is none', () => {
    expect(() => fromHeaders(toHeaders(event), '{')).toThrow('not JSON');
    expect(() => fromHeaders({ ...toHeaders(event), ce_sequence: '7a' }, '{}')).toThrow('sequence');
    expect(() => fromStructured(null)).toThrow(UnreadableEvent);
    expect(() => fromStructured({ ...toStructured(event), specversion: '0.3' })).toThrow('specversion');
  });

  it('have their topics: six, of 48 partitions, the states compacted and the rest kept for 30 days', () => {
    const all = Object.values(topics);
    expect(all.map((topic) => topicName('p.', topic))).toEqual([
      'p.identity.user-events.v1',
      'p.identity.user-states.v1',
      'p.identity.notices.v1',
      'p.identity.acknowledgements.v1',
      'p.identity.observations.v1',
      'p.identity.dead-letters.v1',
    ]);
    expect(new Set(all.map((topic) => topic.partitions))).toEqual(new Set([48]));
    expect(all.filter((topic) => topic.cleanupPolicy === 'compact')).toEqual([topics.userStates]);
    expect(topics.userEvents.retentionMs).toBe(2_592_000_000);
  });
});
