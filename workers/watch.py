"""Whether the servers are still the ones that were: a flush, a restart or a failover makes every board suspect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from infra.ledger_postgres import PostgresLedger
    from infra.sentinel_redis import RedisSentinel
    from workers.refreshing import Refresh

log = structlog.get_logger()


class Watch:
    """Compares what the server says of itself with the mark that was left in it."""

    def __init__(self, sentinel: RedisSentinel, ledger: PostgresLedger, refresh: Refresh) -> None:
        self._sentinel = sentinel
        self._ledger = ledger
        self._refresh = refresh

    async def look(self) -> None:
        """Rebuild boards where the server is empty or another; leave the mark once all are whole.

        Another run of Redis may have lost or repeated versions while its data look whole, a promoted standby of PostgreSQL
        may give out numbers a second time: every board gets a new epoch then.
        Raises RankingUnavailable and StoreUnavailable.
        """
        if await self._ledger.follow_timeline():
            log.warning("another database server")
            await self._sentinel.forget()
        found, run = await self._sentinel.read()
        if found == run:
            return
        if found is not None:
            log.warning("another ranking server", found=found, run=run)
            await self._ledger.raise_epochs()
            await self._sentinel.forget()
        if await self._refresh.verify():
            await self._sentinel.leave(run)
