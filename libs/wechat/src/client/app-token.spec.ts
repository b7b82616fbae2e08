import { MemoryAppTokenSource, usableMs } from './app-token.js';
import type { AppToken } from './app-token.js';

/** Answers only when told, so that the order of a race is the spec's. */
class Fetches {
  readonly asked: { forceRefresh: boolean; answer: (token: AppToken) => void; fail: (error: Error) => void }[] = [];

  readonly fetch = async (_appId: string, { forceRefresh }: { forceRefresh: boolean }): Promise<AppToken> =>
    new Promise((answer, fail) => this.asked.push({ forceRefresh, answer, fail }));
}

const token = (accessToken: string): AppToken => ({ accessToken, expiresInSeconds: 7200 });

describe('tokens in memory', () => {
  it('are fetched once however many ask at a time', async () => {
    const fetches = new Fetches();
    const tokens = new MemoryAppTokenSource(fetches.fetch);
    const all = Promise.all([tokens.get('wx1'), tokens.get('wx1'), tokens.get('wx1')]);
    fetches.asked[0]?.answer(token('a'));
    expect(await all).toEqual(['a', 'a', 'a']);
    expect(fetches.asked).toHaveLength(1);
  });

  it('are kept apart by app', async () => {
    const fetches = new Fetches();
    const tokens = new MemoryAppTokenSource(fetches.fetch);
    const both = Promise.all([tokens.get('wx1'), tokens.get('wx2')]);
    fetches.asked[0]?.answer(token('a'));
    fetches.asked[1]?.answer(token('b'));
    expect(await both).toEqual(['a', 'b']);
  });

  it('are replaced once however many find the same one dead', async () => {
    const fetches = new Fetches();
    const tokens = new MemoryAppTokenSource(fetches.fetch);
    const first = tokens.get('wx1');
    fetches.asked[0]?.answer(token('a'));
    await first;
    const both = Promise.all([tokens.refresh('wx1', 'a'), tokens.refresh('wx1', 'a')]);
    fetches.asked[1]?.answer(token('b'));
    expect(await both).toEqual(['b', 'b']);
    expect(await tokens.refresh('wx1', 'a')).toBe('b');
    expect(fetches.asked.map(({ forceRefresh }) => forceRefresh)).toEqual([false, false]);
  });

  it('are asked for again after a fetch that failed', async () => {
    const fetches = new Fetches();
    const tokens = new MemoryAppTokenSource(fetches.fetch);
    const first = tokens.get('wx1');
    fetches.asked[0]?.fail(new Error('busy'));
    await expect(first).rejects.toThrow('busy');
    const second = tokens.get('wx1');
    fetches.asked[1]?.answer(token('a'));
    expect(await second).toBe('a');
  });

  it('last as long as WeChat says less five minutes, at least ten seconds', () => {
    expect([7200, 345, 300, 5].map((expiresInSeconds) => usableMs({ accessToken: 'a', expiresInSeconds }))).toEqual([
      6_900_000, 45_000, 10_000, 10_000,
    ]);
  });
});
