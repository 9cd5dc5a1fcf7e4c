"""`consilium check`: the port, and each hook."""

import asyncio
import errno
from collections.abc import Sequence
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Final

import aiohttp

from adapters.web.fetching import in_words
from adapters.web.hook.incoming import PREFIX
from adapters.web.hook.settings import HookSettings, WebhookSettings
from adapters.web.listener import try_address
from bridge.contract import Finding

_SECONDS: Final = 15.0


async def examine(settings: WebhookSettings, name: str, groups: Sequence[str]) -> list[Finding]:
    """A finding for the port, and one for each hook. Bounded to 20 seconds."""
    findings = [await _port(settings, name)] if settings.listens else []
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        asyncio.TaskGroup() as group,
    ):
        looks = [group.create_task(_hook(session, settings, name, each)) for each in groups]
    return findings + [look.result() for look in looks]


async def _port(settings: WebhookSettings, name: str) -> Finding:
    address = settings.address
    error = await try_address(address)
    if error is not None and error.errno == errno.EADDRINUSE:
        return Finding(
            ok=True, subject=name, sentence=f"Somebody listens on {address} already.",
            advice="That is well when it is the bridge, running. Or else give it another port.",
        )  # fmt: skip
    if error is not None:
        return Finding(
            ok=False, subject=name, sentence=f"Nobody can listen on {address} ({error.strerror}).",
            advice="Choose an address of this machine as host, and a port above 1023.",
        )  # fmt: skip
    if not _on_this_machine(settings.host):
        return Finding(
            ok=True, subject=name, sentence=f"Hooks can be posted to {address}{PREFIX}….",
            advice="What is posted there is not encrypted. Have a proxy with a certificate listen, "
            "and the bridge on 127.0.0.1.",
        )  # fmt: skip
    return Finding(ok=True, subject=name, sentence=f"Hooks can be posted to {address}{PREFIX}….")


async def _hook(
    session: aiohttp.ClientSession, settings: WebhookSettings, name: str, group: str
) -> Finding:
    subject, hook = f"{name}: {group}", settings.hooks.get(group)
    if hook is None:
        near = get_close_matches(group, settings.hooks, 1)
        return Finding(
            ok=False, subject=subject, sentence="The configuration has no hook of this name.",
            advice=f'Did you mean "{near[0]}"?' if near else "Add it under hooks.",
        )  # fmt: skip
    if hook.url is None:
        return Finding(ok=True, subject=subject, sentence="It waits for what the system posts.")
    return await _target(session, subject, hook, hook.url)


async def _target(
    session: aiohttp.ClientSession, subject: str, hook: HookSettings, url: str
) -> Finding:
    """A HEAD posts nothing, and shows whether anybody is there."""
    try:
        async with (
            asyncio.timeout(_SECONDS),
            session.head(url, allow_redirects=False) as answer,
        ):
            status = answer.status
    except TimeoutError:
        sentence = "The system it posts to does not answer."
    except aiohttp.ClientError as error:
        sentence = f"The system it posts to can't be reached ({in_words(error)})."
    else:
        if 300 <= status < 400:
            return Finding(
                ok=False, subject=subject, sentence="The url redirects, which is not followed.",
                advice="Write the address that it redirects to.",
            )  # fmt: skip
        both = "It waits for what the system posts, and the" if hook.secret else "The"
        return Finding(
            ok=True, subject=subject, sentence=f"{both} system it posts to can be reached."
        )
    return Finding(ok=False, subject=subject, sentence=sentence, advice="Check the hook's url.")


def _on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
