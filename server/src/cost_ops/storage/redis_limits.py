"""Counts of permits in Redis, for several replicas: one script run there takes from all windows at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from cost_ops.domain.errors import Unavailable, invalid
from cost_ops.domain.limiting import LARGEST_SHARE, Count, Taken, Window, current

KEY_PREFIX = "cost-ops:limits:"
TIMEOUT_SECONDS = 2.0

_TAKE = f"""
local needed, ahead, at = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local counts, left, longest = {{}}, nil, 0
for i = 4, #ARGV, 2 do
  local seconds, limit = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local stored = redis.call('HMGET', KEYS[1], seconds .. ':started', seconds .. ':used')
  local started, used = tonumber(stored[1]), tonumber(stored[2])
  local ours = at - at % seconds
  if not started or started < ours or started > ours + seconds then started, used = ours, 0 end
  counts[#counts + 1] = {{seconds, started, used}}
  left = math.min(left or limit - used, limit - used)
  longest = math.max(longest, seconds)
end
local share = math.min(needed + ahead, math.floor(left / {LARGEST_SHARE}))
local granted = math.max(0, math.min(left, math.max(needed, share)))
local found = {{granted}}
for _, count in ipairs(counts) do
  local used = count[3] + granted
  redis.call('HSET', KEYS[1], count[1] .. ':started', count[2], count[1] .. ':used', used)
  found[#found + 1] = count[2]
  found[#found + 1] = used
end
redis.call('EXPIRE', KEYS[1], 2 * longest)
return found
"""
"""The same as `cost_ops.domain.limiting.take`, where it cannot be interrupted. A count is kept for twice its window:
a clock that is a little ahead may have begun the next one.
"""

_GIVE_BACK = """
for i = 2, #ARGV, 2 do
  local started, used = ARGV[i] .. ':started', ARGV[i] .. ':used'
  if redis.call('HGET', KEYS[1], started) == ARGV[i + 1] then
    local less = tonumber(redis.call('HGET', KEYS[1], used)) - tonumber(ARGV[1])
    redis.call('HSET', KEYS[1], used, math.max(0, less))
  end
end
"""


class RedisPermits:
    """Permits counted in one Redis, one hash for each holder."""

    def __init__(self, url: str) -> None:
        """Nothing is connected yet. Raises InvalidInput for an impossible URL."""
        self._where = _without_password(url)
        try:
            self._redis: Any = Redis.from_url(
                url,
                socket_timeout=TIMEOUT_SECONDS,
                socket_connect_timeout=TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 1),  # a connection that was closed while idle is opened again
                decode_responses=True,
                client_name="cost-ops",
            )
        except ValueError as error:
            raise invalid(
                "limits.redis_url", "invalid_url", "limits.redis_url must be like redis://:password@localhost:6379/0"
            ) from error
        self._take = self._redis.register_script(_TAKE)
        self._give_back = self._redis.register_script(_GIVE_BACK)

    def take(self, holder: str, windows: Sequence[Window], *, needed: int, ahead: int, at: int) -> Taken:
        """Take permits out of all windows at once."""
        about = [number for window in windows for number in (window.seconds, window.limit)]
        with self._reached():
            granted, *rest = self._take(keys=[KEY_PREFIX + holder], args=[needed, ahead, at, *about])
        return Taken(granted, tuple(map(Count, rest[::2], rest[1::2])))

    def give_back(self, holder: str, starts: Sequence[tuple[int, int]], permits: int) -> None:
        """Put unused permits back where the stretch they were taken from still runs."""
        about = [number for start in starts for number in start]
        with self._reached():
            self._give_back(keys=[KEY_PREFIX + holder], args=[permits, *about])

    def counts(self, holder: str, windows: Sequence[Window], at: int) -> tuple[Count, ...]:
        """How many permits each window has given out by now."""
        with self._reached():
            stored: dict[str, str] = self._redis.hgetall(KEY_PREFIX + holder)
        return tuple(current(window, _stored(stored, window.seconds), at) for window in windows)

    def check(self) -> str:
        """What it is, in words, once it was seen to work."""
        with self._reached():
            version = self._redis.info("server")["redis_version"]
        return f"Redis {version} at {self._where}"

    def close(self) -> None:
        """Let go of connections."""
        self._redis.close()

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise Unavailable(f"cannot count requests: Redis at {self._where} does not work: {error}") from error


def _stored(stored: dict[str, str], seconds: int) -> Count | None:
    started = stored.get(f"{seconds}:started")
    return None if started is None else Count(int(started), int(stored[f"{seconds}:used"]))


def _without_password(url: str) -> str:
    scheme, mark, rest = url.partition("?")[0].partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"
