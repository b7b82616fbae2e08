export type Cause = 'login' | 'observation' | 'push' | 'import' | 'migration' | 'admin' | 'participant' | 'automatic';
export interface LinkedIdentity {
  readonly appId: string;
  readonly openId: string;
  readonly linkedAt: string;
}
export type UserState = object;
