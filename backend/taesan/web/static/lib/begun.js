// What was asked of the hub and has no answer yet: on disk before it is sent, and sent again, by the same key, until it is answered.

import { askPatiently, Refused } from "/static/lib/hub.js";
import { session } from "/static/lib/session.js";

/** @param {string} name what is asked for: one at a time of a wallet */
export function begun(name) {
  const here = () => `taesan.begun.${name}.${session().address}`; // asked once: somebody else may sign in meanwhile

  async function send(place) {
    const pending = JSON.parse(localStorage.getItem(place) ?? "null");
    if (!pending) return null;
    const { path, body, key } = pending;
    try {
      const answer = await askPatiently("POST", path, { body, key });
      localStorage.removeItem(place);
      return { answer, pending };
    } catch (error) {
      if (error instanceof Refused && error.status !== 429) localStorage.removeItem(place);
      throw error;
    }
  }

  /** Sends what is there; null if nothing is. @throws {Refused} nothing was done @throws {Unanswered} it is tried again with the next call */
  function finish() {
    const place = here();
    return navigator.locks.request(place, () => send(place));
  }

  /** After what was begun before, in whichever tab. @param {object} extra kept with it */
  function ask(path, body, key, extra = {}) {
    const place = here();
    return navigator.locks.request(place, async () => {
      await send(place).catch((error) => {
        if (!(error instanceof Refused)) throw error; // that the other was refused is no matter of this one
      });
      localStorage.setItem(place, JSON.stringify({ path, body, key, ...extra }));
      return send(place);
    });
  }

  return { ask, finish };
}
