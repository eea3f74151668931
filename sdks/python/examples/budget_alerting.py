"""A budget that calls you when it is nearly spent: makes the budget and a webhook, and prints each alert.

    pip install ./sdks/python
    python budget_alerting.py --project search --amount 500

Reads COST_OPS_API_URL and COST_OPS_API_KEY. The ledger has to reach this program at --url (it listens on --port); for
one on the same machine the server needs `notifications.allow_private_addresses = true`. Ctrl-C ends it and removes the
webhook; the budget stays.
"""

import argparse
import hashlib
import hmac
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

from llm_cost_ops import CostOpsClient
from llm_cost_ops.exceptions import ConflictError


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints an alert whenever a budget passes 50, 80 and 100 %.")
    parser.add_argument("--project", default="search")
    parser.add_argument("--amount", default="500", help="for each month, in USD")
    parser.add_argument("--port", type=int, default=9200)
    parser.add_argument("--url", help="where the ledger reaches this program")
    asked = parser.parse_args()

    with CostOpsClient() as costs:
        try:
            budget = costs.budgets.create(
                name=f"{asked.project}-monthly",
                amount=asked.amount,
                period="monthly",
                scope={"project": [asked.project]},
                alert_thresholds=["0.5", "0.8", "1"],
            )
            print(f"made the budget {budget.name}: {budget.amount} {budget.currency}", flush=True)
        except ConflictError:
            print(f"the budget {asked.project}-monthly is there already", flush=True)
        webhook = costs.webhooks.create(
            name=f"alerting-{asked.project}",
            url=asked.url or f"http://127.0.0.1:{asked.port}/alerts",
            events=["budget.threshold_exceeded"],
        )
        try:
            listen(asked.port, str(webhook.secret))
        except KeyboardInterrupt:
            print("removing the webhook", flush=True)
        finally:
            costs.webhooks.delete(webhook.webhook_id)


def listen(port: int, secret: str) -> None:
    """Receive alerts until Ctrl-C. Only what is signed with our secret is believed."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            ours = hmac.compare_digest(wanted, self.headers.get("X-LLM-CostOps-Signature", ""))
            self.send_response(204 if ours else 401)
            self.end_headers()
            if ours:
                alert(json.loads(body)["data"])

        def log_message(self, format: str, *args: object) -> None:
            """Print alerts, not requests."""

    server = HTTPServer(("127.0.0.1", port), Receiver)
    print(f"listening on port {server.server_address[1]}", flush=True)
    with server:
        server.serve_forever()


def alert(data: dict) -> None:
    """Here you would page somebody, or switch to a cheaper model."""
    spent, limit, currency = data["current_spend"], data["limit"], data["currency"]
    print(f"ALERT {data['budget_name']}: {spent} of {limit} {currency} ({data['threshold']:.0%} reached)", flush=True)


if __name__ == "__main__":
    main()
