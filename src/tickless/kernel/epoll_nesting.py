"""epoll_ctl(2), ELOOP: epolls that watch epolls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.epoll import EP_MAX_NESTS

if TYPE_CHECKING:
    from tickless.kernel.epoll import Epoll


def may_nest(outer: Epoll, inner: Epoll) -> bool:
    """Whether `outer` may watch `inner`: no circle comes of it, and no chain of more than five. fs/eventpoll.c."""
    return not _contains(inner, outer) and _depth(inner) + 1 + _height(outer) <= EP_MAX_NESTS


def _contains(epoll: Epoll, other: Epoll) -> bool:
    return epoll is other or any(_contains(nested, other) for nested in epoll.nested.values())


def _depth(epoll: Epoll) -> int:
    """How many levels of epolls it watches."""
    return max((_depth(nested) + 1 for nested in epoll.nested.values()), default=0)


def _height(epoll: Epoll) -> int:
    """How many levels of epolls watch it."""
    return max((_height(interest.epoll) + 1 for interest in epoll.interests), default=0)
