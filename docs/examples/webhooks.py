"""A receiver of webhooks: what is signed is printed, anything else is 401."""

import os

from fastapi import FastAPI, HTTPException, Request
from standardwebhooks import Webhook, WebhookVerificationError

app = FastAPI()
webhook = Webhook(os.environ["WEBHOOK_SECRET"])


@app.post("/taesan", status_code=204)
async def take(request: Request) -> None:
    try:
        news = webhook.verify(await request.body(), dict(request.headers))
    except WebhookVerificationError as error:
        raise HTTPException(401) from error
    print(news["type"], news["data"], flush=True)
