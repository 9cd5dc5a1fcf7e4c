"""How an event is shown at a place: under which name, in how many pieces, and where the place can't
show it as it is, in the next best way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.contract import Capabilities, Copy, Feature, Level, Outgoing, Refused
from bridge.flow import otherwise
from bridge.flow.features import is_due, level
from bridge.flow.naming import shown_name
from bridge.flow.relations import NONE, Relations, Reshaped
from bridge.flow.splitting import split
from bridge.flow.texts import Piece, Wording
from bridge.model import (
    Attachment,
    Deleted,
    Deliverable,
    Edited,
    Message,
    Place,
    Reacted,
    SubjectChanged,
    TitleChanged,
)
from bridge.portals.policy import BYLINE


@dataclass(frozen=True, slots=True)
class Stage:
    """Where something is shown: the place, what it can do, what it is called, how a file gets a
    public link, and what stands before texts where one account speaks for all.
    """

    place: Place
    capabilities: Capabilities
    network_names: Mapping[str, str]
    link: Callable[[Attachment], str | None] = lambda _: None
    byline: str = BYLINE

    @property
    def wording(self) -> Wording:
        """How texts are written there."""
        return Wording(self.place, self.capabilities, self.network_names)

    @property
    def name(self) -> str:
        """How people call the network."""
        return self.network_names.get(self.place.network, self.place.network)


def present(
    event: Deliverable, *, key: str, stage: Stage, relations: Relations = NONE
) -> Iterator[Outgoing]:
    """What to send to a place so that it shows `event`; several for a long text or many files,
    nothing where it is about a message that can't be seen there.

    Raises:
        Refused: the place can't do it, and the author has to know.
    """
    name = shown_name(event.author, stage.network_names)
    if name != event.author.name:
        event = replace(event, author=replace(event.author, name=name))
    match event:
        case Message():
            yield from _said(event, key, stage, relations)
        case Edited():
            yield from _edited(event, key, stage, relations)
        case Deleted():
            yield from _deleted(event, key, stage, relations)
        case Reacted():
            yield from _reacted(event, key, stage, relations)
        case SubjectChanged():
            subject = next(split(event.subject, stage.capabilities.max_text), "")
            yield Outgoing(stage.place, key, replace(event, subject=subject))
        case TitleChanged():
            title = next(split(event.title, stage.capabilities.max_text), "")
            yield Outgoing(stage.place, key, replace(event, title=title))
        case _:
            yield Outgoing(stage.place, key, event)


# --- messages -----------------------------------------------------------------------------------


def _said(message: Message, key: str, stage: Stage, relations: Relations) -> Iterator[Outgoing]:
    can = stage.capabilities
    reply_to, topic = relations.reply_to, relations.topic
    if reply_to and not can.does(Feature.REPLY):
        message, reply_to = otherwise.quoting(message, reply_to), None
    elif topic and not can.does(Feature.TOPIC):
        message = otherwise.in_topic(message, topic)
    if message.attachments and not can.does(Feature.FILE):
        message = otherwise.without_files(message, stage.link)
    elif message.attachments and not (message.text or can.own_names):
        message = otherwise.announcing(message, message.attachments)
    for number, part in enumerate(_parts(message, stage)):
        part_key = key if number == 0 else f"{key}.{number}"
        yield Outgoing(
            stage.place,
            part_key,
            part,
            reply_to=None if number else reply_to,
            topic=topic,
            link=stage.link(part.attachments[0]) if part.attachments else None,
        )


def _parts(message: Message, stage: Stage) -> Iterator[Message]:
    """The pieces of the text, and each file by itself; the first with the text if that can be."""
    if not message.attachments:
        yield from _texts(message, stage)
        return
    texts = list(_texts(message, stage))
    files = list(message.attachments)
    if files and stage.capabilities.captions and len(texts) <= 1:
        bare = replace(message, text="", html=None)
        yield replace(texts[0] if texts else bare, attachments=(files.pop(0),))
        texts = []
    for text in texts:
        yield replace(text, attachments=())
    for file in files:
        yield replace(message, text="", html=None, mentions=(), attachments=(file,))


def _texts(message: Message, stage: Stage) -> Iterator[Message]:
    can = stage.capabilities
    emote = message.emote and can.does(Feature.EMOTE) and can.own_names
    for piece in stage.wording.pieces(message.text, message.html, _byline(message, stage)):
        same = (piece.text, piece.html, piece.mentions) == (message.text, message.html, ())
        if same and not message.mentions and emote == message.emote and not piece.unformatted:
            yield message
            continue
        yield replace(
            message,
            text=piece.text,
            html=piece.html,
            mentions=piece.mentions,
            emote=emote,
            unformatted=piece.unformatted,
        )


def _byline(event: Message | Edited, stage: Stage) -> str:
    """What stands before every piece: a long text must not lose its author halfway."""
    can, name = stage.capabilities, event.author.name
    if not can.own_names:
        return f"* {name}" if event.emote else stage.byline.replace("{name}", name)
    return "*" if event.emote and not can.does(Feature.EMOTE) else ""


# --- changes ------------------------------------------------------------------------------------


def _edited(event: Edited, key: str, stage: Stage, relations: Relations) -> Iterator[Outgoing]:
    targets, can = relations.targets, stage.capabilities
    if not targets:
        return
    if not can.does(Feature.EDIT) or _too_old(event, targets[0], can):
        if level(can, event.kind) is Level.REFUSED:
            raise Refused(f"{stage.name} can't change what was said; the old text is still there.")
        follow_up = otherwise.edited(event)
        yield from _said(follow_up, key, stage, Relations(reply_to=targets[0]))
        return
    original = relations.original
    files = () if original is None else original.attachments
    event = _as_before(event, files, relations.reply_to, stage)
    reply_to = relations.reply_to if can.does(Feature.REPLY) else None
    byline = _byline(event, stage)
    event = replace(event, emote=event.emote and can.does(Feature.EMOTE) and can.own_names)
    texts = list(stage.wording.pieces(event.text, event.html, byline))
    worded, captioned = _worded(targets, files, can)
    if captioned and not texts:
        texts = [Piece("")]  # without words, but with a file that is to stay
    worded = _reshaped(worded, relations.reshaped)
    for number, target in enumerate(worded):
        part_key = key if number == 0 else f"{key}.{number}"
        if number < len(texts):
            piece = texts[number]
            change = replace(
                event,
                text=piece.text,
                html=piece.html,
                mentions=piece.mentions,
                unformatted=piece.unformatted,
            )
            yield Outgoing(
                stage.place,
                part_key,
                change,
                target=target,
                reply_to=None if number else reply_to,
                topic=relations.topic,
            )
        else:
            gone = Deleted(event.place, event.author, event.time, event.target)
            yield Outgoing(stage.place, part_key, gone, target=target)
    for number in range(len(worded), len(texts)):
        more = otherwise.continued(event, texts[number])
        part_key = key if number == 0 else f"{key}.{number}"
        yield Outgoing(stage.place, part_key, more, topic=relations.topic)


def _as_before(
    event: Edited, files: Sequence[Attachment], reply_to: Copy | None, stage: Stage
) -> Edited:
    """What stands in the old text for files and for what it answers stands in the new one, too."""
    can = stage.capabilities
    if reply_to and not can.does(Feature.REPLY):
        event = otherwise.quoting(event, reply_to)
    if files and not can.does(Feature.FILE):
        return otherwise.below_files(event, files, stage.link)
    if files and not (event.text or can.own_names):
        return otherwise.announcing(event, files)
    return event


def _worded(
    targets: Sequence[Copy], files: Sequence[Attachment], can: Capabilities
) -> tuple[Sequence[Copy], bool]:
    """Those of the copies that hold the text, and whether it is the caption of a file."""
    if not files or not can.does(Feature.FILE):
        return targets, False
    if can.captions and len(targets) == len(files):
        return targets[:1], True
    return targets[: -len(files)], False


def _reshaped(pieces: Sequence[Copy], edits: Sequence[Reshaped]) -> list[Copy]:
    """The pieces of a text that are there after what earlier edits did."""
    there = list(pieces)
    for edit in edits:
        there = [each for number, each in enumerate(there) if number not in edit.gone]
        there += edit.added
    return there


def _too_old(event: Edited, target: Copy, capabilities: Capabilities) -> bool:
    within = capabilities.edit_within
    return within is not None and event.time - target.time > within


def _deleted(event: Deleted, key: str, stage: Stage, relations: Relations) -> Iterator[Outgoing]:
    targets, can = relations.targets, stage.capabilities
    if not targets:
        return
    feature = Feature.DELETE if targets[0].own else Feature.MODERATION
    if not can.does(feature):
        raise Refused(
            f"{stage.name} can't delete what was said; it is still to be read there.",
            f"Ask a moderator of {stage.name} to delete it.",
        )
    added = (each for edit in relations.reshaped for each in edit.added)
    for number, target in enumerate((*targets, *added)):
        part_key = key if number == 0 else f"{key}.{number}"
        yield Outgoing(stage.place, part_key, event, target=target)


def _reacted(event: Reacted, key: str, stage: Stage, relations: Relations) -> Iterator[Outgoing]:
    targets, can = relations.targets, stage.capabilities
    if not targets or not is_due(can, event.kind):
        return
    if can.does(Feature.REACTION):
        yield Outgoing(
            stage.place,
            key,
            event,
            target=targets[0],
            reaction=relations.reaction,
            standing=relations.standing,
        )
    elif not event.gone:
        line = otherwise.reacted(event, targets[0])
        yield from _said(line, key, stage, Relations())
