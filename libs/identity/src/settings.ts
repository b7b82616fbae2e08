/** What the rules need to know of the installation; the app's wiring fills it in. */
export abstract class IdentitySettings {
  /** Above it automatic linking stops and a conflict is opened. */
  abstract readonly identitiesPerUserMax: number;
  /** More than so many in an hour are held for review: a conflict is opened, and logins go on; 0: any number. */
  abstract readonly identitiesPerUserPerHourMax: number;
  /** Above it merges and links by hand are refused. */
  abstract readonly identitiesPerUserHardMax: number;
  /** After how many days a signing key of sessions gets its successor; 0: only by hand. */
  abstract readonly signingKeyRotateDays: number;
  /** Keys the fingerprints of departed identities. */
  abstract readonly pepper: Buffer;
}
