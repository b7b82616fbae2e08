const base64Pattern = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * The bytes of a base64 text, or null if it is not one. Node's decoder skips what it does not know, so that a `+` turned
 * into a blank by form decoding would shorten the data without a word.
 */
export function decodeBase64(text: string): Buffer | null {
  if (text.length % 4 !== 0 || !base64Pattern.test(text)) return null;
  return Buffer.from(text, 'base64');
}
