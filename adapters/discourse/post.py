"""A post as the forum tells it (app/serializers/post_serializer.rb of discourse/discourse)."""

from enum import IntEnum
from typing import Annotated, Any, Final, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, ValidationError

LIKE: Final = 2
"""The kind of action that a like is (app/models/post_action_type.rb)."""


class PostType(IntEnum):
    """What kind of post it is (app/models/post.rb)."""

    REGULAR = 1
    MODERATOR = 2
    SMALL_ACTION = 3
    WHISPER = 4


def _or_nothing(value: object) -> object:
    return [] if value is None else value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class User(_Part):
    """Somebody, as far as is told."""

    username: str
    name: str | None = None
    avatar_template: str = ""


class _Action(_Part):
    id: int
    count: int = 0


class _Reaction(_Part):
    id: str
    count: int = 0


class Post(_Part):
    """One post. `raw` is what its author wrote, `cooked` the HTML made of it."""

    id: int
    topic_id: int
    post_number: int = 1
    post_type: int = PostType.REGULAR
    username: str = ""
    name: str | None = None
    user_id: int | None = None
    avatar_template: str = ""
    created_at: AwareDatetime
    updated_at: AwareDatetime | None = None
    raw: str | None = None
    cooked: str = ""
    version: int = 1
    reply_to_post_number: int | None = None
    category_id: int | None = None
    topic_title: str = ""
    topic_archetype: str = "regular"
    hidden: bool = False
    user_deleted: bool = False
    deleted_at: AwareDatetime | None = None
    deleted_by: User | None = None
    actions_summary: Annotated[tuple[_Action, ...], BeforeValidator(_or_nothing)] = ()
    reactions: Annotated[tuple[_Reaction, ...], BeforeValidator(_or_nothing)] = ()

    @classmethod
    def read(cls, told: Any, **known: Any) -> Self | None:  # noqa: ANN401 - JSON
        """A post of JSON, with what is known of it besides; None when it can't be read."""
        if not isinstance(told, dict):
            return None
        try:
            return cls.model_validate({**told, **known})
        except ValidationError:
            return None

    @property
    def alias(self) -> str:
        """How replies and quotes name it."""
        return alias(self.topic_id, self.post_number)

    @property
    def is_public(self) -> bool:
        """Whether people wrote it, for everyone in the category to read."""
        return (
            self.post_type in {PostType.REGULAR, PostType.MODERATOR}
            and self.topic_archetype == "regular"
            and not self.hidden
            and (self.user_id is None or self.user_id > 0)
        )

    @property
    def is_gone(self) -> bool:
        """Whether it was deleted; authors leave a husk for a day."""
        return self.user_deleted or self.deleted_at is not None

    @property
    def liked(self) -> tuple[tuple[str, int], ...]:
        """How often which reaction was given."""
        likes = (("like", each.count) for each in self.actions_summary if each.id == LIKE)
        reactions = ((each.id, each.count) for each in self.reactions)
        return tuple(pair for pair in (*likes, *reactions) if pair[1] > 0)


def alias(topic_id: int, post_number: int) -> str:
    """A post by its place in its topic."""
    return f"t{topic_id}/{post_number}"


def topic_name(topic_id: int) -> str:
    """How a topic is called, apart from posts, which have numbers too."""
    return f"t{topic_id}"


def topic_number(name: str) -> int | None:
    """The number behind `topic_name`."""
    digits = name.removeprefix("t")
    return int(digits) if digits != name and digits.isascii() and digits.isdigit() else None
