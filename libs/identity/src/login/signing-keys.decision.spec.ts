import { isRotationDue, keyThatSigns } from './signing-keys.decision.js';

const day = 86_400_000;
const key = (signsFromMs: number) => ({ signsFromMs });

describe('The line of signing keys', () => {
  it('signs with the newest key that has begun, to the millisecond', () => {
    const line = [key(200), key(100), key(0)];
    expect([-5, 0, 99, 100, 199, 200, 900].map((now) => keyThatSigns(line, now)?.signsFromMs)).toEqual([
      0, 0, 0, 100, 100, 200, 200,
    ]);
    expect(keyThatSigns([], 5)).toBeUndefined();
  });

  it('is due for a successor early enough to publish it ahead, and not while one is waiting', () => {
    const rule = { rotateDays: 30, publishAheadSeconds: 3600 };
    const due = 30 * day - 3_600_000;
    expect(isRotationDue([key(0)], due - 1, rule)).toBe(false);
    expect(isRotationDue([key(0)], due, rule)).toBe(true);
    expect(isRotationDue([key(0), key(due + 3_600_000)], due + 1, rule)).toBe(false);
  });

  it('is never due where rotation by age is switched off, and not before there is a key', () => {
    expect(isRotationDue([key(0)], 1e15, { rotateDays: 0, publishAheadSeconds: 3600 })).toBe(false);
    expect(isRotationDue([], 1e15, { rotateDays: 30, publishAheadSeconds: 3600 })).toBe(false);
  });
});
