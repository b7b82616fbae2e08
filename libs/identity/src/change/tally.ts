/** Told what happened, for whoever counts it. It must not throw. */
export abstract class Tally {
  /** The outcome of an observation, or the code it was refused with. */
  abstract resolved(outcome: string): void;
  /** A committed step of a user, by its event type. */
  abstract stepped(eventType: string): void;
}

export const nobodyCounts: Tally = { resolved: () => undefined, stepped: () => undefined };
