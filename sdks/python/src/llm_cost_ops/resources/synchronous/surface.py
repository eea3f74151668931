"""What a client has: its resources, each loaded when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_cost_ops.resources.synchronous.budgets import Budgets
    from llm_cost_ops.resources.synchronous.calling import Caller
    from llm_cost_ops.resources.synchronous.costs import Costs
    from llm_cost_ops.resources.synchronous.installation import Health, Jobs
    from llm_cost_ops.resources.synchronous.notifications import Alerts, Channels, Webhooks
    from llm_cost_ops.resources.synchronous.planned import Exports, Forecasts
    from llm_cost_ops.resources.synchronous.pricing import Pricing
    from llm_cost_ops.resources.synchronous.usage import Usage


class Surface:
    """The resources of a client."""

    _caller: Caller

    @property
    def usage(self) -> Usage:
        """Sending usage, reading it, correcting it, proving its cost."""
        from llm_cost_ops.resources.synchronous.usage import Usage

        return Usage(self._caller)

    @property
    def costs(self) -> Costs:
        """What usage came to."""
        from llm_cost_ops.resources.synchronous.costs import Costs

        return Costs(self._caller)

    @property
    def pricing(self) -> Pricing:
        """Prices."""
        from llm_cost_ops.resources.synchronous.pricing import Pricing

        return Pricing(self._caller)

    @property
    def budgets(self) -> Budgets:
        """Budgets, and holding some of them for a call."""
        from llm_cost_ops.resources.synchronous.budgets import Budgets

        return Budgets(self._caller)

    @property
    def alerts(self) -> Alerts:
        """What budgets told."""
        from llm_cost_ops.resources.synchronous.notifications import Alerts

        return Alerts(self._caller)

    @property
    def webhooks(self) -> Webhooks:
        """Events posted to programs."""
        from llm_cost_ops.resources.synchronous.notifications import Webhooks

        return Webhooks(self._caller)

    @property
    def channels(self) -> Channels:
        """Events told to people."""
        from llm_cost_ops.resources.synchronous.notifications import Channels

        return Channels(self._caller)

    @property
    def forecasts(self) -> Forecasts:
        """What usage will cost: not on servers of this version."""
        from llm_cost_ops.resources.synchronous.planned import Forecasts

        return Forecasts(self._caller)

    @property
    def exports(self) -> Exports:
        """Files of usage and costs: not on servers of this version."""
        from llm_cost_ops.resources.synchronous.planned import Exports

        return Exports(self._caller)

    @property
    def jobs(self) -> Jobs:
        """What the installation does on its own."""
        from llm_cost_ops.resources.synchronous.installation import Jobs

        return Jobs(self._caller)

    @property
    def health(self) -> Health:
        """How the server is, and who asks."""
        from llm_cost_ops.resources.synchronous.installation import Health

        return Health(self._caller)
