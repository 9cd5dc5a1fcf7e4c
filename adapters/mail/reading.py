"""One mail as a message."""

import asyncio
import html as markup
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from adapters.mail.addresses import author_of
from adapters.mail.header import Header
from adapters.mail.invitation import in_words
from adapters.mail.mailbox import Envelope, Mailbox
from adapters.mail.message_ids import former_ids
from adapters.mail.new_html import CutHtml, new_html
from adapters.mail.new_text import Cut, is_footer, new_text, unflowed
from adapters.mail.plan import Body, Plan, plan_of
from adapters.mail.settings import FullMail
from adapters.mail.sources import TEXT, Source, text_of
from adapters.mail.structure import Broken, Part, read_structure
from adapters.mail.subjects import answers, bare, forwards, untagged
from adapters.mail.threads import Standing
from bridge.model import Attachment, MediaKind, Message, Place

_LONGEST_TEXT: Final = 300_000
_LONGEST_HTML: Final = 1_200_000
"""Bytes as sent that are read of what a mail says."""
_MOST_FILES: Final = 30
_MOST_BODIES: Final = 50
_SMALL: Final = 20_000
"""Characters up to which a text is looked at on the loop itself."""
_PGP: Final = "-----BEGIN PGP MESSAGE-----"
_KINDS: Final = {"image": MediaKind.IMAGE, "video": MediaKind.VIDEO, "audio": MediaKind.AUDIO}


_Result = TypeVar("_Result", Cut, CutHtml)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a mail says; `html` is empty where it says it in one form only. `more`: there is more
    of it than that.
    """

    text: str
    html: str = ""
    quoted: bool = False
    more: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How mails of one network are read."""

    network: str
    full_mail: FullMail

    async def message(
        self, mailbox: Mailbox, envelope: Envelope, header: Header, group: str, standing: Standing
    ) -> Message:
        """Read a mail; only what is shown of it is fetched.

        Raises:
            Lost, Declined: the mailbox can't be read.
            KeyError: it is not there any more.
        """
        subject = untagged(header.words("Subject"), group)
        try:
            plan = plan_of(read_structure(envelope.structure))
        except Broken:
            plan = Plan()
            said = _Said(
                _IN_PARENTHESES.format("This mail is broken: only its text could be kept"),
                more=True,
            )
        else:
            answer = standing.topic is not None or answers(subject)
            said = await _said(mailbox, envelope.uid, plan, answer and not forwards(subject))
        said = _with_remarks(said, plan, await _invitation(mailbox, envelope.uid, plan))
        said = _with_subject(said, subject, standing)
        files = _files(plan, said.html, mailbox.validity, envelope.uid)
        if self._attaches_all(said, standing):
            files.append(_whole(mailbox.validity, envelope))
        if not (said.text or said.html or files):
            said = _Said(bare(subject) or _IN_PARENTHESES.format("An empty mail"))
        return Message(
            place=Place(self.network, group),
            id=standing.id,
            author=author_of(header, self.network, group),
            time=moment(header, envelope),
            text=said.text,
            html=said.html or None,
            attachments=tuple(files),
            reply_to=standing.reply_to,
            topic=standing.topic,
            aliases=tuple(each for each in former_ids(header) if each != standing.id),
        )

    def _attaches_all(self, said: _Said, standing: Standing) -> bool:
        if self.full_mail is FullMail.NEVER:
            return False
        if said.more:
            return True
        return said.quoted and (self.full_mail is FullMail.ALWAYS or not standing.known)


def moment(header: Header, envelope: Envelope) -> datetime:
    """When it was written: never later than it came, whatever the sender's clock says."""
    date = header.date
    return (
        min(date, envelope.arrived) if date is not None and date.year > 1990 else envelope.arrived
    )


# --- what it says


async def _said(mailbox: Mailbox, uid: int, plan: Plan, answer: bool) -> _Said:  # noqa: FBT001
    """All bodies, one after the other; formatted, as soon as one of them is."""
    pieces: list[_Said] = []
    for body in plan.bodies[:_MOST_BODIES]:
        piece = await _piece(mailbox, uid, body, answer)
        if not (pieces and is_footer(piece.text)):
            pieces.append(piece)
    html = ""
    if any(piece.html for piece in pieces):
        html = "".join(piece.html or _as_html(piece.text) for piece in pieces)
    return _Said(
        "\n\n".join(piece.text for piece in pieces if piece.text.strip()),
        html,
        any(piece.quoted for piece in pieces),
        any(piece.more for piece in pieces) or len(plan.bodies) > _MOST_BODIES,
    )


async def _piece(mailbox: Mailbox, uid: int, body: Body, answer: bool) -> _Said:  # noqa: FBT001
    """One body, in its formatted form if that says anything."""
    if body.html is not None:
        html = await text_of(mailbox, uid, body.html, _LONGEST_HTML)
        formatted = await _apart(new_html, html, answer)
        if formatted.text or "<img" in formatted.html:
            more = body.html.size > _LONGEST_HTML
            return _Said(formatted.text, formatted.html, formatted.quoted, more)
    if body.text is None:
        return _Said("")
    text = await text_of(mailbox, uid, body.text, _LONGEST_TEXT)
    if _PGP in text:
        return _Said(_IN_PARENTHESES.format("This mail is encrypted with OpenPGP"), more=True)
    if body.text.parameters.get("format", "").lower() == "flowed":
        delete = body.text.parameters.get("delsp", "").lower() == "yes"
        text = unflowed(text, delete_space=delete)
    cut = await _apart(new_text, text, answer)
    return _Said(cut.text, quoted=cut.quoted, more=body.text.size > _LONGEST_TEXT)


async def _apart(cut: Callable[..., _Result], text: str, answers: bool) -> _Result:  # noqa: FBT001
    """Work on a long text beside the loop, which others need meanwhile."""
    if len(text) > _SMALL:
        return await asyncio.to_thread(cut, text, answers=answers)
    return cut(text, answers=answers)


def _as_html(text: str) -> str:
    paragraphs = (markup.escape(part).replace("\n", "<br>") for part in text.split("\n\n"))
    return "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs if paragraph.strip())


async def _invitation(mailbox: Mailbox, uid: int, plan: Plan) -> str:
    if plan.calendar is None:
        return ""
    return in_words(await text_of(mailbox, uid, plan.calendar, _LONGEST_TEXT))


_IN_PARENTHESES: Final = "({}.)"


def _with_remarks(said: _Said, plan: Plan, invitation: str) -> _Said:
    remarks = [invitation] if invitation else []
    if plan.sealed is not None:
        remarks.append(
            _IN_PARENTHESES.format(
                f"This mail is encrypted with {plan.sealed}: the bridge can't read it"
            )
        )
    if len(plan.files) > _MOST_FILES:
        remarks.append(_IN_PARENTHESES.format("More files came than are shown"))
    if said.more:
        remarks.append(_IN_PARENTHESES.format("There is more of it: see the full mail"))
    for remark in remarks:
        text = f"{said.text.rstrip()}\n\n{remark}".lstrip()
        html = f"{said.html}<p>{markup.escape(remark)}</p>" if said.html else ""
        said = _Said(text, html, said.quoted, said.more)
    return said


def _with_subject(said: _Said, subject: str, standing: Standing) -> _Said:
    """A conversation begins with its subject; later mails only tell a new one."""
    plain = bare(subject) if standing.topic is not None else subject
    told = standing.topic is not None and plain.casefold() == standing.thread.subject.casefold()
    if not plain or told:
        return said
    html = f"<p><strong>{markup.escape(plain)}</strong></p>{said.html}" if said.html else ""
    return _Said(f"{plain}\n\n{said.text.strip()}".strip(), html, said.quoted, said.more)


# --- its files


def _files(plan: Plan, html: str, validity: int, uid: int) -> list[Attachment]:
    files = []
    for part in plan.files:
        is_within = part.kind.startswith("image/") and part.disposition != "attachment"
        # A picture within the text goes with it; one in what was cut off does not
        if part.content_id and is_within and f"cid:{part.content_id}" not in html:
            continue
        files.append(_file(part, validity, uid))
    return files[:_MOST_FILES]


def _file(part: Part, validity: int, uid: int) -> Attachment:
    encoding = part.encoding if part.encoding in {"base64", "quoted-printable"} else ""
    return Attachment(
        kind=_KINDS.get(part.kind.partition("/")[0], MediaKind.FILE),
        source=str(Source(validity, uid, part.section, encoding)),
        name=part.name or _a_name_for(part),
        mime=part.kind,
        size=part.decoded_size or None,
    )


def _a_name_for(part: Part) -> str:
    match part.kind:
        case "message/rfc822":
            return f"{part.title or 'mail'}.eml"
        case "application/pkcs7-mime" | "application/x-pkcs7-mime":
            return "smime.p7m"
        case "application/octet-stream":
            return "encrypted.asc" if part.section == "2" else "file"
    return part.kind.rpartition("/")[2].partition(";")[0] or "file"


def _whole(validity: int, envelope: Envelope) -> Attachment:
    return Attachment(
        kind=MediaKind.FILE,
        source=str(Source(validity, envelope.uid, TEXT)),
        name="full mail.txt",
        mime="text/plain",
    )
