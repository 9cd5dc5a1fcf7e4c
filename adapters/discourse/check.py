"""`consilium check`: the key, the port for webhooks, and each category."""

import asyncio
import errno
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

import aiohttp

from adapters.discourse.api import Api
from adapters.discourse.credentials import Credentials
from adapters.discourse.errors import Declined
from adapters.discourse.settings import DiscourseSettings
from adapters.discourse.site import Site
from adapters.web.listener import try_address
from bridge.contract import Finding, Unreachable

_SECONDS: Final = 18.0
_ANSWER_SECONDS: Final = 8.0


async def examine(settings: DiscourseSettings, name: str, groups: Sequence[str]) -> list[Finding]:
    """Try everything; what is wrong is a finding. Bounded to 20 seconds."""
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(_SECONDS):
            await _examine(settings, name, groups, findings)
    except TimeoutError:
        slow = "The forum is too slow to look at everything."
        findings.append(Finding(ok=False, subject=name, sentence=slow, advice="Try again later."))
    return findings


async def _examine(
    settings: DiscourseSettings, name: str, groups: Sequence[str], findings: list[Finding]
) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        api = Api(settings, name, Credentials(settings), session, _ANSWER_SECONDS)
        try:
            site = await Site.load(api)
        except Unreachable as error:
            findings.append(
                Finding(
                    ok=False, subject=name, sentence=error.sentence,
                    advice="Check the url, and whether the forum opens in a browser.",
                )
            )  # fmt: skip
            return
        except Declined as error:
            findings.append(_declined(name, settings, error))
            return
        findings.append(_connected(name, settings, site))
        if settings.webhook_secret is not None:
            findings.append(await _port(name, settings))
        for group in groups:
            findings.append(await _category(name, api, site, group))  # noqa: PERF401 - one by one


def _declined(name: str, settings: DiscourseSettings, error: Declined) -> Finding:
    if error.status in {401, 403, 404}:
        return Finding(
            ok=False, subject=name,
            sentence=f"The forum does not know the key as one of {settings.username}.",
            advice="Make a key for that user alone, with all scopes, under Admin, API.",
        )  # fmt: skip
    return Finding(ok=False, subject=name, sentence=error.sentence, advice=error.advice)


def _connected(name: str, settings: DiscourseSettings, site: Site) -> Finding:
    if site.username.lower() != settings.username.lower():
        return Finding(
            ok=False, subject=name, sentence=f"The key belongs to {site.username}.",
            advice=f"Write username: {site.username}, or make a key for {settings.username}.",
        )  # fmt: skip
    told = "its webhooks" if settings.webhook_secret else f"asking every {settings.seconds} seconds"
    return Finding(ok=True, subject=name, sentence=f"Known as {site.username}; heard by {told}.")


async def _port(name: str, settings: DiscourseSettings) -> Finding:
    error = await try_address(settings.address)
    where = f"{settings.address}{settings.webhook_path}"
    if error is not None and error.errno == errno.EADDRINUSE:
        return Finding(
            ok=True, subject=name, sentence=f"Somebody listens on {settings.address} already.",
            advice="That is well when it is the bridge, running. Or else give it another port.",
        )  # fmt: skip
    if error is not None:
        return Finding(
            ok=False, subject=name,
            sentence=f"Nobody can listen on {settings.address} ({error.strerror}).",
            advice="Choose an address of this machine as webhook_host, and a port above 1023.",
        )  # fmt: skip
    return Finding(ok=True, subject=name, sentence=f"Webhooks can be posted to {where}.")


async def _category(name: str, api: Api, site: Site, group: str) -> Finding:
    subject = f"{name}: {group}"
    try:
        category = await site.category(api, group)
    except Unreachable as error:
        return Finding(ok=False, subject=subject, sentence=error.sentence, advice="Try again.")
    except Declined:
        near = get_close_matches(group, [each.path for each in site.categories], 1)
        return Finding(
            ok=False, subject=subject,
            sentence=f"{site.username} sees no such category.",
            advice=f'Did you mean "{near[0]}"? ' if near else
            "Check how it is written, and let that user see it.",
        )  # fmt: skip
    if not category.can_create:
        return Finding(
            ok=True, subject=subject,
            sentence=f'"{category.name}" can be read; {site.username} can begin no topic.',
            advice="For a link that writes, let that user create, reply and see.",
        )  # fmt: skip
    return Finding(
        ok=True, subject=subject, sentence=f'"{category.name}" can be read and written to.'
    )
