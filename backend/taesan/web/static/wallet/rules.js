// What small change becomes: the rules that the wallet has signed, an editor for another one, and the jar's own setting.

import { allRules } from "/static/lib/change.js";
import * as channel from "/static/lib/channel.js";
import { behindSignIn } from "/static/lib/gate.js";
import { askPatiently, facts, Unanswered } from "/static/lib/hub.js";
import { rejoice } from "/static/lib/joy.js";
import { askSigned } from "/static/lib/session.js";
import { empty, every, failed, html, loading, part, render } from "/static/lib/view.js";
import { _, language } from "/static/lib/words.js";
import { editor } from "/static/wallet/rules/editor.js";
import { list } from "/static/wallet/rules/list.js";
import { setting } from "/static/wallet/rules/setting.js";

const body = (id) => document.querySelector(`#${id} .body`);
const LOOK_MS = 5_000;
const query = new URLSearchParams(location.search);
const advised = query.has("gather") ? Object.fromEntries(["gather", "fires", "only"].map((name) => [name, query.get(name) ?? ""])) : null;

/** Null while the node does not answer: the rules are told all the same. */
const allowanceNow = () => askSigned("GET", "/v1/allowance").catch((error) => {
  if (error instanceof Unanswered) return null;
  throw error;
});

behindSignIn(_("You sign what gathers, when it becomes gift tokens, and what becomes of them."), start);

async function start() {
  const { asset_exponent: exponent, asset_currency: currency, standing_orders_domain: orders } = await facts();
  let faults = {};

  const refresh = () => Promise.all([lookAtRules(), lookAtSetting()]);
  const jarOf = async () => {
    const state = await channel.state();
    if (!state || state.state === "pending") return null;
    return askSigned("GET", `/v1/channels/${state.id}/jar`);
  };
  const first = () => empty(_("Open a channel first: then paying takes no pop-up and no gas."), html`<p><a href="/wallet?lang=${language}">${_("Open a channel")}</a></p>`);

  const lookAtRules = part(body("rules"), async () => {
    const jar = await jarOf();
    const rules = jar ? await allRules(jar.channel_id) : [];
    const moves = rules.some(({ state, per_day: perDay }) => perDay !== "0" && ["active", "paused"].includes(state));
    return { jar, rules, allowance: moves ? await allowanceNow() : null };
  }, ({ jar, rules, allowance }) => {
    if (!jar) return first();
    rejoice(jar.channel_id, jar.firings, exponent);
    return list(rules, allowance, { exponent, refresh });
  });

  const ownSetting = (jar) => setting(jar, {
    exponent,
    faults,
    refresh,
    show: (wrong) => {
      faults = wrong;
      render(ownSetting(jar), body("setting"));
    },
  });

  const lookAtSetting = part(body("setting"), async () => ({ jar: await jarOf() }), ({ jar }) => (jar ? ownSetting(jar) : first()));

  async function openEditor() {
    if (!orders) return render(empty(_("This hub takes no signed rules. The jar goes by its own setting.")), body("editor"));
    render(loading(), body("editor"));
    try {
      const [jar, there, allowance] = await Promise.all([jarOf(), askPatiently("GET", "/v1/destinations"), askSigned("GET", "/v1/allowance")]);
      if (!jar) return render(first(), body("editor"));
      editor(body("editor"), { channelId: jar.channel_id, currency, exponent, there, allowance, advised }, refresh);
    } catch (error) {
      render(failed(error, openEditor), body("editor"));
    }
  }

  openEditor();
  every(LOOK_MS, lookAtRules);
}
