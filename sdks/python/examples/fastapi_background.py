"""FastAPI that records usage after its answer has been sent, in a background task.

    pip install ./sdks/python fastapi uvicorn openai
    uvicorn fastapi_background:app --port 9400
    curl -X POST "http://127.0.0.1:9400/api/chat?message=Hello"

Reads COST_OPS_API_URL, COST_OPS_API_KEY, OPENAI_API_KEY and OPENAI_BASE_URL. `client.track(**usage_data)` does the same
without waiting and without a background task, and keeps what it cannot send; this is for whoever wants to see errors.
"""

import logging
from typing import Any

from fastapi import BackgroundTasks, FastAPI
from openai import AsyncOpenAI

from llm_cost_ops import CostOpsClient

logger = logging.getLogger(__name__)
client = CostOpsClient()
openai = AsyncOpenAI()
app = FastAPI()


def track_usage_background(usage_data: dict[str, Any]) -> None:
    """A `def`, so FastAPI runs it in a thread and the loop does not wait."""
    try:
        client.usage.submit(**usage_data)
    except Exception as e:  # noqa: BLE001  (the answer has been sent: nobody is there to tell)
        logger.error(f"Failed to track usage: {e}")
        client.track(**usage_data)  # tried again in the background


@app.post("/api/chat")
async def chat(message: str, background_tasks: BackgroundTasks) -> dict[str, str | None]:
    response = await openai.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": message}])

    background_tasks.add_task(
        track_usage_background,
        usage_data={
            "provider": "openai",
            "model_id": response.model,
            "response_id": response.id,
            "service_tier": response.service_tier,
            "usage": response.usage.model_dump(),
            "project_id": "chat",
        },
    )

    return {"answer": response.choices[0].message.content}
