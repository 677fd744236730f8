"""How the lists of the wallet's activity are gathered."""

from tests.support.modules import run_script

_NAMED = """
globalThis.addEventListener ??= () => {};
globalThis.dispatchEvent ??= () => {};
const session = JSON.stringify({ address: "0x" + "11".repeat(20), token: "t", expires_at: "2999-01-01T00:00:00Z" });
globalThis.localStorage = { getItem: (name) => (name === "taesan.session" ? session : null) };
const asked = [];
let isAway = true;
globalThis.fetch = async (path) => {
  asked.push(path);
  if (path.startsWith("/v1/channels?")) return Response.json({ items: [{ id: "0xaa" }], next_cursor: null });
  return isAway ? new Response("{}", { status: 503 }) : Response.json({ name: "Café" });
};
const { sources } = await import("/static/wallet/activity/sources.js");
const [payments] = await sources();
const coffee = { destination: "merchant", merchant_id: "mer_0123456789", amount: "1", reference: null, batch_id: null };
const look = async () => {
  await Promise.all([coffee, coffee, coffee].map((row) => payments.prepare(row)));
  return payments.tell(coffee).what;
};
const told = [await look()];
isAway = false;
told.push(await look(), await look());
return [told, asked.filter((path) => path.startsWith("/v1/merchants/")).length];"""


def test_a_merchants_name_is_asked_for_once_and_its_id_stands_until_it_is_known() -> None:
    told, asked = run_script(_NAMED)
    assert told == ["Paid to mer_01…6789", "Paid to Café", "Paid to Café"]
    assert asked == 2, "once without an answer, once with one"
