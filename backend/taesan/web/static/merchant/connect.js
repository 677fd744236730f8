// For the merchant's own systems: keys, webhooks, and the first request that somebody pays for.

import { html, render } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { behindAccount } from "/static/merchant/account.js";
import { keys } from "/static/merchant/keys.js";
import { deliveryLog } from "/static/merchant/log.js";
import { copyButton } from "/static/merchant/secret.js";
import { webhooks } from "/static/merchant/webhooks.js";

const card = (id) => document.getElementById(id);

const shop = ({ id }) => `from fastapi import FastAPI
from taesan.paywall import Paywall, Price

app = FastAPI()
prices = {"GET /weather": Price("0.01", "Today's weather")}
app.add_middleware(Paywall, hub="${location.origin}", merchant="${id}", prices=prices)


@app.get("/weather")
async def weather() -> dict[str, str]:
    return {"weather": "sunny"}
`;

behindAccount((merchant) => {
  keys(card("keys"));
  webhooks(card("webhooks"), deliveryLog(card("log")));
  const source = shop(merchant);
  render(html`
    <p>${_("A page that costs a cent, in Python. Save it as shop.py, start it with “uvicorn shop:app”, and ask for /weather: whoever does not pay gets 402 and the price.")}</p>
    <pre tabindex="0">${source}</pre>
    <div class="ways">${copyButton(source)}</div>
    <p class="hint">${_("It needs no key: whom to pay is public. Your merchant id is")} <code>${merchant.id}</code></p>`, card("first").querySelector(".body"));
});
