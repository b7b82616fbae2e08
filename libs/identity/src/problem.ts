/**
 * An expected refusal: nothing was written. `code` is the contract's stable word; the API's table gives it its status
 * (apps/api/src/problem), docs/errors.md its cure.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly code: RefusalCode,
    message: string,
    /** Members of the problem document beside the standard ones, e.g. `mergedInto`. */
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

export type RefusalCode =
  | 'invalid_request'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'entity_not_found'
  | 'open_platform_not_found'
  | 'app_not_found'
  | 'app_id_taken'
  | 'api_key_not_found'
  | 'api_key_rotated'
  | 'user_not_found'
  | 'user_erased'
  | 'user_merged'
  | 'identity_not_found'
  | 'identity_owned'
  | 'last_identity'
  | 'conflict_not_found'
  | 'conflict_stale'
  | 'merge_not_found'
  | 'merge_stale'
  | 'merge_superseded'
  | 'merge_refused'
  | 'same_requester'
  | 'preview_stale'
  | 'different_union_ids'
  | 'separated'
  | 'separation_not_found'
  | 'too_many_identities'
  | 'snapshot_user'
  | 'observation_stale'
  | 'wrong_app_kind'
  | 'code_invalid'
  | 'wechat_user_blocked'
  | 'wechat_throttled'
  | 'wechat_unavailable'
  | 'wechat_misconfigured'
  | 'order_not_found'
  | 'cloud_hosting_off'
  | 'cloud_headers_invalid'
  | 'foreign_open_id'
  | 'encrypted_data_invalid'
  | 'push_signature_invalid'
  | 'erasure_not_found'
  | 'participant_not_found'
  | 'import_not_found'
  | 'idempotency_key_reused'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'rate_limited'
  | 'unavailable'
  | 'internal';
