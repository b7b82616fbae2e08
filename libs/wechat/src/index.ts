export { reactionTo } from './errors/reaction.js';
export type { Credential, Reaction } from './errors/reaction.js';
export { SecretText } from './errors/secret-text.js';
export { WechatError } from './errors/wechat-error.js';
export { wechatBaseUrl } from './http/transport.js';
export type { CallReport } from './http/transport.js';
export { openIdsMax, WechatClient } from './client/wechat-client.js';
export type { PaidOrder, WechatClientOptions } from './client/wechat-client.js';
export { fetchInPlaceOf, MemoryAppTokenSource, usableMs } from './client/app-token.js';
export type { AppToken, AppTokenSource, FetchAppToken } from './client/app-token.js';
export { isWechatId } from './client/shape.js';
export type {
  ChangedOpenId,
  Follower,
  FollowerPage,
  MiniProgramLogin,
  OauthLogin,
  Quota,
  SnsUser,
} from './client/answers.js';
export type { FollowerBatch } from './client/follower-batch.js';
export { cloudHeaderNames, readCloudHeaders } from './cloud/cloud-headers.js';
export type { CloudCaller, CloudHeaders, CloudHeadersRefusal } from './cloud/cloud-headers.js';
export { isRawDataGenuine, signRawData, signWithSession } from './crypto/signatures.js';
export { encryptUserData, readUserData } from './crypto/encrypted-data.js';
export type { EncryptedData, LoginFacts, UserData, UserDataRefusal } from './crypto/encrypted-data.js';
export { decryptPush, encryptPush, isEncodingAesKey, signPush } from './crypto/push-crypto.js';
export type { Decrypted, PushKey } from './crypto/push-crypto.js';
export { pushBodyMaxBytes, pushWindowMs, readPush, verifyUrl } from './push/read-push.js';
export type { PushQuery, PushRefusal, PushRequest, PushSettings, ReceivedPush, UrlCheck } from './push/read-push.js';
export { dedupeKeyOf, isByPerson, readPushMessage } from './push/push-message.js';
export type { DedupeFacts, PushMessage, PushReading } from './push/push-message.js';
export type { PushFields, PushValue, UnreadableReason } from './push/push-fields.js';
