// Asks this hub's API. What goes wrong is one of three things: the hub refuses and says why, it wants a sign-in, or nobody answers.

import { language } from "/static/lib/words.js";

/** RFC 9457: the hub has refused, in the reader's language. `type` is without its `urn:taesan:problem:`. */
export class Refused extends Error {
  constructor(problem, status) {
    super(problem.title ?? String(status));
    this.problem = problem;
    this.status = status;
    this.type = (problem.type ?? "").replace("urn:taesan:problem:", "");
  }
}

/** No answer, or one that says "later" or that something broke: whether anything was done is not known. Its message is the hub's, if it is
 * one to be shown. */
export class Unanswered extends Error {}

export const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
/**
 * An effect that is asked for once: by the same key again while its answer is lost, by a new one when it was answered or something else is asked for.
 *
 * @param {(body: object, key: string) => Promise<any>} send @returns {(body: object) => Promise<any>}
 */
export function keyed(send) {
  let asked = null;
  let key = null;
  return async (body) => {
    const text = JSON.stringify(body);
    if (text !== asked) [asked, key] = [text, newKey()];
    const answer = await send(body, key);
    asked = null;
    return answer;
  };
}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * @param {string} method @param {string} path
 * @param {{body?: object, file?: Blob, token?: string, key?: string, signal?: AbortSignal, as?: "json" | "file"}} options `file`: sent
 *   as it is, in place of `body`; `key`: names the effect, so that it may be asked for again (`Idempotency-Key`)
 * @returns {Promise<any>} the answer's JSON, null if it has none; or the file that it is
 */
export async function ask(method, path, { body, file, token, key, signal, as = "json" } = {}) {
  const headers = { "accept-language": language };
  if (file) headers["content-type"] = "application/octet-stream";
  else if (body !== undefined) headers["content-type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;
  if (key) headers["idempotency-key"] = key;
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: file ?? (body === undefined ? undefined : JSON.stringify(body)) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unanswered();
  }
  if (answer.status === 204) return null;
  if (answer.ok) return whole(as === "file" ? answer.blob() : answer.json(), signal);
  const told = await answer.json().catch(() => ({}));
  if (answer.status >= 500) throw new Unanswered(told.type === "urn:taesan:problem:node-unavailable" ? told.title : "");
  throw new Refused(told, answer.status);
}

/** A good answer that breaks off on its way is none: what was done is not known. */
const whole = (told, signal) => told.catch((error) => {
  throw signal?.aborted ? error : new Unanswered();
});

/** Whether the same may be answered a while later. */
export const isPassing = (error) => error instanceof Unanswered || error.status === 429;

/** Asks again until somebody answers who can. Only for what may be asked twice: reading, or with a `key`. */
export async function askPatiently(method, path, options = {}, patienceMs = 20_000) {
  const until = performance.now() + patienceMs;
  for (let waitMs = 250; ; waitMs = Math.min(2 * waitMs, 4_000)) {
    try {
      return await ask(method, path, options);
    } catch (error) {
      if (!isPassing(error) || performance.now() + waitMs > until) throw error;
    }
    await pause(waitMs);
  }
}

let known = null;

/** `GET /v1/hub`, asked once: chain, contracts, what is signed for. */
export const facts = () => (known ??= askPatiently("GET", "/v1/hub").catch((error) => { known = null; throw error; }));

/** The time that signatures go by: a local chain's clock may have been put forward. In Unix seconds. */
export async function signingTime() {
  const { chain_time: told } = await ask("GET", "/v1/hub");
  return Math.floor(Math.max(Date.now(), told ? Date.parse(told) : 0) / 1_000);
}
