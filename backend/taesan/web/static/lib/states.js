// Where things stand, as people are told: `name` is a colour of a pill.

import { _ } from "/static/lib/words.js";

const DONE = () => ({ name: "settled", text: _("done") });
const MOVING = () => ({ name: "moving", text: _("on its way") });
const FAILED = () => ({ name: "failed", text: _("failed") });
const WAITING = () => ({ name: "waiting", text: _("waiting") });

export const GIFT_STATES = {
  wrapping: MOVING,
  open: () => ({ name: "waiting", text: _("not taken yet") }),
  claiming: () => ({ name: "moving", text: _("being taken") }),
  claimed: () => ({ name: "settled", text: _("taken") }),
  expired: () => ({ name: "waiting", text: _("over, comes back") }),
  returning: () => ({ name: "moving", text: _("coming back") }),
  returned: () => ({ name: "settled", text: _("came back") }),
  failed: FAILED,
};
export const TRANSFER_STATES = { pending: MOVING, done: DONE, failed: FAILED };
export const RELAY_STATES = { received: MOVING, sent: MOVING, confirmed: DONE, failed: FAILED };
export const CONVERSION_STATES = { waiting: WAITING, sent: MOVING, done: DONE, held: () => ({ name: "failed", text: _("held") }), kept: () => ({ name: "settled", text: _("kept as gift tokens") }) };
export const REFUND_STATES = { waiting: WAITING, accepted: WAITING, settling: MOVING, done: DONE };
export const REWARD_STATES = {
  waiting: () => ({ name: "waiting", text: _("gathering") }),
  ordered: WAITING,
  settling: MOVING,
  done: DONE,
  reversed: () => ({ name: "failed", text: _("taken back") }),
};
