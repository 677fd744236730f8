// Who comes back, and what it is worth to them.

import { facts } from "/static/lib/hub.js";
import { dollars } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { every } from "/static/lib/view.js";
import { behindAccount } from "/static/merchant/account.js";
import { campaigns } from "/static/merchant/campaigns.js";
import { programme } from "/static/merchant/programme.js";

const body = (id) => document.querySelector(`#${id} .body`);
const LOOK_MS = 6_000;

behindAccount(start);

async function start() {
  const [{ asset_exponent: exponent }, { time_zone: zone }] = await Promise.all([facts(), askSigned("GET", "/v1/account/settings")]);
  const money = (value) => dollars(value, exponent);
  const running = campaigns(body("new-campaign"), body("campaigns"), { exponent, money });
  const members = programme(body("tiers"), body("members"), { exponent, money, zone });
  every(LOOK_MS, running);
  every(5 * LOOK_MS, members);
}
