"""What a client has: its resources, each loaded when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_cost_ops.resources.asynchronous.budgets import AsyncBudgets
    from llm_cost_ops.resources.asynchronous.calling import AsyncCaller
    from llm_cost_ops.resources.asynchronous.costs import AsyncCosts
    from llm_cost_ops.resources.asynchronous.installation import AsyncHealth, AsyncJobs
    from llm_cost_ops.resources.asynchronous.notifications import AsyncAlerts, AsyncChannels, AsyncWebhooks
    from llm_cost_ops.resources.asynchronous.planned import AsyncExports, AsyncForecasts
    from llm_cost_ops.resources.asynchronous.pricing import AsyncPricing
    from llm_cost_ops.resources.asynchronous.usage import AsyncUsage


class AsyncSurface:
    """The resources of a client."""

    _caller: AsyncCaller

    @property
    def usage(self) -> AsyncUsage:
        """Sending usage, reading it, correcting it, proving its cost."""
        from llm_cost_ops.resources.asynchronous.usage import AsyncUsage

        return AsyncUsage(self._caller)

    @property
    def costs(self) -> AsyncCosts:
        """What usage came to."""
        from llm_cost_ops.resources.asynchronous.costs import AsyncCosts

        return AsyncCosts(self._caller)

    @property
    def pricing(self) -> AsyncPricing:
        """Prices."""
        from llm_cost_ops.resources.asynchronous.pricing import AsyncPricing

        return AsyncPricing(self._caller)

    @property
    def budgets(self) -> AsyncBudgets:
        """Budgets, and holding some of them for a call."""
        from llm_cost_ops.resources.asynchronous.budgets import AsyncBudgets

        return AsyncBudgets(self._caller)

    @property
    def alerts(self) -> AsyncAlerts:
        """What budgets told."""
        from llm_cost_ops.resources.asynchronous.notifications import AsyncAlerts

        return AsyncAlerts(self._caller)

    @property
    def webhooks(self) -> AsyncWebhooks:
        """Events posted to programs."""
        from llm_cost_ops.resources.asynchronous.notifications import AsyncWebhooks

        return AsyncWebhooks(self._caller)

    @property
    def channels(self) -> AsyncChannels:
        """Events told to people."""
        from llm_cost_ops.resources.asynchronous.notifications import AsyncChannels

        return AsyncChannels(self._caller)

    @property
    def forecasts(self) -> AsyncForecasts:
        """What usage will cost: not on servers of this version."""
        from llm_cost_ops.resources.asynchronous.planned import AsyncForecasts

        return AsyncForecasts(self._caller)

    @property
    def exports(self) -> AsyncExports:
        """Files of usage and costs: not on servers of this version."""
        from llm_cost_ops.resources.asynchronous.planned import AsyncExports

        return AsyncExports(self._caller)

    @property
    def jobs(self) -> AsyncJobs:
        """What the installation does on its own."""
        from llm_cost_ops.resources.asynchronous.installation import AsyncJobs

        return AsyncJobs(self._caller)

    @property
    def health(self) -> AsyncHealth:
        """How the server is, and who asks."""
        from llm_cost_ops.resources.asynchronous.installation import AsyncHealth

        return AsyncHealth(self._caller)
