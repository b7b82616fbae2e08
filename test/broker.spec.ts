import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { KafkaSink } from '../apps/relay/src/kafka/sink.js';
import { guardTimer } from '../apps/relay/src/kafka/timer-guard.js';
import { openRawProducer, type RawProducer } from './broker/raw-producer.js';
import { realStage, simulatedStage, type Stage } from './broker/stage.js';
import { wireErrors } from './harness/producer-state.js';
import { startSimulatedBroker } from './harness/simulated-broker.js';
import { shortOrWhole } from './harness/torture.js';

/** What never comes is given up after this long, by clients of a spec that is about it. */
const impatientMs = 250;

const kafkaOf = (brokers: string, requestTimeout = 10_000): Kafka =>
  new Kafka({
    clientId: 'spec',
    brokers: [brokers],
    requestTimeout,
    enforceRequestTimeout: true,
    connectionTimeout: requestTimeout,
    logLevel: logLevel.NOTHING,
  });

const records = (topic: string, ...values: string[]) =>
  values.map((value) => ({ topic, key: value, value, headers: {} }));

const accepted = (offset: number) => ({ errorCode: wireErrors.none, offset });
const refusedWith = (errorCode: number) => ({ errorCode, offset: -1 });

/** A sink whose failed batches are sent again until they are through, as the relay does it. */
async function sendForSure(sink: KafkaSink, topic: string, values: string[]): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await sink.send(records(topic, ...values));
    } catch (error) {
      if (tries > 20) throw error;
      await delay(20);
    }
  }
}

/** In order and without a gap once repeats are left out: what a consumer with the guard makes of it. */
function guarded(stored: readonly string[]): string[] {
  let last = -1;
  return stored.filter((value) => {
    const isNew = Number(value) > last;
    if (isNew) last = Number(value);
    return isNew;
  });
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));

let nextProducerId = 1_000_000;

beforeAll(() => {
  guardTimer();
});

describe.each([
  ['simulated', simulatedStage],
  ['real', realStage],
])('Over the %s broker', (_name, open) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await open();
  });
  afterAll(() => stage.close());

  describe('a producer’s numbers', () => {
    let topic: string;
    let raw: RawProducer;
    let producerId: number;
    const send = (firstSequence: number, values: string[], more: { epoch?: number; partition?: number } = {}) =>
      raw.send({ producerId, firstSequence, values, ...more });

    beforeEach(async () => {
      topic = await stage.topic(2);
      producerId = nextProducerId += 1;
      raw = await openRawProducer(stage.brokers, topic);
    });
    afterEach(() => raw.close());

    it('in sequence are stored', async () => {
      expect(await send(0, ['a', 'b'])).toEqual(accepted(0));
      expect(await send(2, ['c'])).toEqual(accepted(2));
      expect(await send(0, ['d'], { partition: 1 })).toEqual(accepted(0));
      expect(await stage.stored(topic)).toEqual(['a', 'b', 'c', 'd']);
    });

    it('that come again are acknowledged and not stored, up to five batches back', async () => {
      for (const value of numbers(6)) await send(Number(value), [value]);
      for (let sequence = 1; sequence < 6; sequence += 1) {
        expect(await send(sequence, [String(sequence)])).toEqual(accepted(sequence));
      }
      expect(await send(0, ['0'])).toEqual(refusedWith(wireErrors.outOfOrderSequence));
      expect(await stage.stored(topic)).toEqual(numbers(6));
    });

    it('make a batch of other content be taken for the one that had them: acknowledged, and lost', async () => {
      await send(0, ['a']);
      expect(await send(0, ['b'])).toEqual(accepted(0));
      expect(await stage.stored(topic)).toEqual(['a']);
    });

    it('that leave a gap or overlap are refused', async () => {
      await send(0, ['a']);
      expect(await send(2, ['c'])).toEqual(refusedWith(wireErrors.outOfOrderSequence));
      expect(await send(0, ['a', 'b'])).toEqual(refusedWith(wireErrors.outOfOrderSequence));
      expect(await stage.stored(topic)).toEqual(['a']);
    });

    it('may begin anywhere where the producer is not known', async () => {
      expect(await send(7, ['a'])).toEqual(accepted(0));
      expect(await send(8, ['b'])).toEqual(accepted(1));
    });

    it('begin anew with an epoch, and the one before is fenced off', async () => {
      await send(0, ['a']);
      expect(await send(1, ['b'], { epoch: 1 })).toEqual(refusedWith(wireErrors.outOfOrderSequence));
      expect(await send(0, ['b'], { epoch: 1 })).toEqual(accepted(1));
      expect(await send(1, ['c'])).toEqual(refusedWith(wireErrors.invalidProducerEpoch));
      expect(await stage.stored(topic)).toEqual(['a', 'b']);
    });
  });

  describe('a bare KafkaJS producer', () => {
    let topic: string;
    let producer: Producer;
    beforeEach(async () => {
      topic = await stage.topic();
      producer = kafkaOf(stage.proxy.brokers).producer({
        idempotent: true,
        maxInFlightRequests: 1,
        retry: { retries: 1 },
      });
      await producer.connect();
    });
    afterEach(() => producer.disconnect());
    const send = (value: string) => producer.send({ topic, acks: -1, messages: [{ key: value, value }] });

    it('loses what it was told is stored, with two sends in flight and one answer lost', async () => {
      await send('first');
      stage.proxy.next('produce', 'lose');
      await Promise.all([send('a'), send('b')]);
      const stored = await stage.stored(topic);
      expect(stored).toHaveLength(3);
      expect(new Set(stored).size).toBe(2);
    });

    it('loses it when it goes on after a rejection', async () => {
      await send('first');
      stage.proxy.next('produce', 'lose', 2);
      await expect(send('a')).rejects.toThrow(/connection/i);
      await send('b');
      expect(await stage.stored(topic)).toEqual(['first', 'a']);
    });
  });

  describe('the sink', () => {
    let topic: string;
    let sink: KafkaSink;
    const send = (...values: string[]) => sink.send(records(topic, ...values));

    beforeEach(async () => {
      topic = await stage.topic();
      sink = new KafkaSink(kafkaOf(stage.proxy.brokers), new Map([[topic, 1]]));
    });
    afterEach(() => sink.close());

    it('stores once what it sends again because the answer was lost', async () => {
      await send('0');
      const struck = stage.proxy.next('produce', 'lose');
      await send('1', '2');
      await struck.done;
      await send('3');
      expect(await stage.stored(topic)).toEqual(numbers(4));
    });

    it('takes one send at a time', async () => {
      await send('0');
      stage.proxy.next('produce', 'lose');
      const outcomes = await Promise.allSettled([send('1'), send('2')]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
      expect(await stage.stored(topic)).toEqual(numbers(2));
    });

    it('throws its producer away after a rejection, and so loses nothing behind it', async () => {
      await send('0');
      // As many as it tries.
      const struck = stage.proxy.next('produce', 'lose', 4);
      await expect(send('1')).rejects.toThrow(/connection/i);
      await struck.done;
      await send('2');
      expect(await stage.stored(topic)).toEqual(numbers(3));
    });

    describe('that does not wait long', () => {
      beforeEach(() => {
        sink = new KafkaSink(kafkaOf(stage.proxy.brokers, impatientMs), new Map([[topic, 1]]));
      });

      const afterTrouble: [string, () => void, () => void][] = [
        ['an answer that never comes', () => stage.proxy.next('produce', 'swallow'), () => undefined],
        ['half-open connections', () => stage.proxy.halfOpen(), () => undefined],
        ['a black hole', () => stage.proxy.blackHole(), () => stage.proxy.heal()],
      ];

      it.each(afterTrouble)('comes through %s', async (_what, begin, end) => {
        await sendForSure(sink, topic, ['0']);
        begin();
        await send('1').catch(() => undefined);
        end();
        await sendForSure(sink, topic, ['1']);
        await sendForSure(sink, topic, ['2']);
        expect(guarded(await stage.stored(topic))).toEqual(numbers(3));
      });
    });

    it('comes through late answers', async () => {
      stage.proxy.delay(100);
      for (const value of numbers(3)) await send(value);
      stage.proxy.delay(0);
      expect(await stage.stored(topic)).toEqual(numbers(3));
    });

    it('is right however many answers are lost', async () => {
      const count = shortOrWhole(8, 1_000);
      for (const value of numbers(count)) {
        if (Number(value) % 2 === 1) stage.proxy.next('produce', Number(value) % 4 === 1 ? 'lose' : 'refuse');
        await sendForSure(sink, topic, [value]);
      }
      expect(guarded(await stage.stored(topic))).toEqual(numbers(count));
    }, 600_000);
  });
});

describe('The sink', () => {
  it('is not content with the answer of one broker when a partition has moved to it from another', async () => {
    const broker = await startSimulatedBroker(2);
    broker.createTopic('moving', 2);
    broker.moveLeader('moving', 1, 1);
    const sink = new KafkaSink(kafkaOf(broker.brokers), new Map([['moving', 2]]));
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
    const batch = keys.map((key) => ({ topic: 'moving', key, value: key, headers: {} }));
    await sink.send(batch);
    // Node 0 will answer for its own, node 1 has to refuse; the retry asks node 0 no more.
    broker.moveLeader('moving', 1, 0);
    const next = batch.map((record) => ({ ...record, value: `${record.value}2` }));
    await expect(sink.send(next)).rejects.toThrow('not acknowledged: moving/1');
    await sink.send(next);
    expect(broker.stored('moving')).toEqual(expect.arrayContaining(next.map(({ value }) => value)));
    await sink.close();
    await broker.close();
  });

  it('goes on with a producer that the broker has forgotten', async () => {
    const broker = await startSimulatedBroker();
    broker.createTopic('forgotten', 1);
    const sink = new KafkaSink(kafkaOf(broker.brokers), new Map([['forgotten', 1]]));
    for (const value of numbers(6)) {
      await sendForSure(sink, 'forgotten', [value]);
      broker.forgetProducers();
    }
    expect(broker.stored('forgotten')).toEqual(numbers(6));
    await sink.close();
    await broker.close();
  });
});
