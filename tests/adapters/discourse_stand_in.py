"""A stand-in for a Discourse forum. It is not Discourse, which can't run here.

It answers as the public documentation and source of Discourse say that it does:

- docs.discourse.org: the endpoints, their parameters and answers, and the two headers of a key
- discourse/discourse, app/controllers/posts_controller.rb: creating (an identical request of a key
  within two minutes gets the same answer), editing, deleting, the latest posts
- app/serializers/post_serializer.rb and web_hook_post_serializer.rb: the fields of a post
- lib/latest_posts_query.rb: 50 regular posts on a page, `before` a number, nothing private
- app/controllers/topics_controller.rb: 20 posts at first, the others by number; external ids
- app/controllers/application_controller.rb and lib/json_error.rb: errors and their types
- lib/validators/stripped_length_validator.rb: what counts in a length
- app/jobs/regular/emit_web_hook_event.rb: webhooks, their headers, signature and retries
- app/controllers/post_actions_controller.rb, post_action_users_controller.rb: likes
- plugins/discourse-reactions: reactions
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

from sandbox.journal import Journal
from sandbox.ports import LOOPBACK

Json = dict[str, Any]

PAGE = 50
FIRST_POSTS = 20
TOPICS = 30
KEY = "a-key-of-the-tests"
SECRET = "a-secret-of-the-tests"

REGULAR, MODERATOR, SMALL_ACTION, WHISPER = 1, 2, 3, 4


@dataclass
class Person:
    id: int
    username: str
    name: str = ""
    staff: bool = False
    trust_level: int = 1


@dataclass
class Category:
    id: int
    name: str
    slug: str
    parent: int | None = None
    permission: int | None = 1
    listed: bool = True


@dataclass
class Topic:
    id: int
    title: str
    category: int
    archetype: str = "regular"
    external_id: str | None = None
    pinned: bool = False
    visible: bool = True


@dataclass
class Written:
    id: int
    topic: Topic
    number: int
    author: Person
    raw: str
    created: datetime
    updated: datetime
    kind: int = REGULAR
    reply_to: int | None = None
    version: int = 1
    hidden: bool = False
    user_deleted: bool = False
    deleted: datetime | None = None
    deleted_by: Person | None = None
    likes: dict[str, str] = field(default_factory=dict)
    """Who gave which reaction; "heart" is a like."""


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    status: int
    body: Json
    at: float
    """On the clock of the loop."""


class ProblemError(Exception):
    def __init__(
        self, status: int, *errors: str, kind: str = "", headers: Json | None = None, **extras: Any
    ) -> None:
        self.status, self.headers = status, headers
        self.body: Json = {"errors": list(errors)}
        if kind:
            self.body["error_type"] = kind
        if extras:
            self.body["extras"] = extras


NOT_PERMITTED = "You are not permitted to view the requested resource."


@dataclass
class Forum:
    """A forum with people, categories, topics and posts, and what tests can have it do."""

    url: str = ""
    people: dict[str, Person] = field(default_factory=dict)
    categories: dict[int, Category] = field(default_factory=dict)
    topics: dict[int, Topic] = field(default_factory=dict)
    posts: dict[int, Written] = field(default_factory=dict)
    uploads: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    settings: Json = field(default_factory=dict)
    asked: Journal[Asked] = field(default_factory=lambda: Journal("what was asked"))
    problems: list[tuple[Callable[[web.Request], bool], ProblemError]] = field(default_factory=list)
    """Each is answered once, to the next request that it fits."""
    slow: asyncio.Event = field(default_factory=asyncio.Event)
    lost: list[str] = field(default_factory=list)
    """Methods whose next answer is lost on the way, after it was done."""
    hook: str = ""
    retry_hooks: bool = False
    hooked: Journal[int] = field(default_factory=lambda: Journal("answers to webhooks"))
    queue: bool = False
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _numbers: Any = field(default_factory=lambda: itertools.count(101))
    _memory: dict[str, Json] = field(default_factory=dict)
    _session: aiohttp.ClientSession | None = None

    def __post_init__(self) -> None:
        self.slow.set()
        self.settings = {
            "min_topic_title_length": 15, "max_topic_title_length": 255,
            "min_post_length": 20, "min_first_post_length": 20, "max_post_length": 32_000,
            "max_image_size_kb": 4_096, "max_attachment_size_kb": 4_096,
            "authorized_extensions": "jpg|jpeg|png|gif|pdf|mp3|mp4",
            "post_edit_time_limit": 1_440, "tl2_post_edit_time_limit": 43_200,
        }  # fmt: skip
        for username, name in (("ann", "Dr. Ann Lee"), ("cora", ""), ("consilium", "Consilium")):
            self.person(username, name)
        self.people["system"] = Person(-1, "system", "system", staff=True)
        self.category(5, "Cardiology", "cardiology")

    # --- what people do

    def person(self, username: str, name: str = "", *, staff: bool = False) -> Person:
        found = Person(len(self.people) + 1, username, name, staff=staff)
        self.people[username] = found
        return found

    def category(self, number: int, name: str, slug: str, **more: Any) -> Category:
        self.categories[number] = Category(number, name, slug, **more)
        return self.categories[number]

    def topic(self, title: str = "A topic about hearts", category: int = 5, **more: Any) -> Topic:
        found = Topic(next(self._numbers), title, category, **more)
        self.topics[found.id] = found
        return found

    async def write(
        self, username: str, raw: str, topic: Topic | None = None, *, when: datetime | None = None,
        reply_to: int | None = None, kind: int = REGULAR, hooks: bool = True, **more: Any,
    ) -> Written:  # fmt: skip
        topic = topic or self.topic(**more)
        numbers = [post.number for post in self.posts.values() if post.topic is topic]
        now = when or self.clock()
        post = Written(
            next(self._numbers), topic, max(numbers, default=0) + 1, self.people[username],
            raw, now, now, kind, reply_to,
        )  # fmt: skip
        self.posts[post.id] = post
        if hooks:
            await self.emit("post_created", "post", self.hook_post(post))
        return post

    async def edit(self, post: Written, raw: str, *, hooks: bool = True) -> None:
        post.raw, post.version, post.updated = raw, post.version + 1, self.clock()
        if hooks:
            await self.emit("post_edited", "post", self.hook_post(post))

    async def delete(self, post: Written, by: str, *, hooks: bool = True) -> None:
        who = self.people[by]
        if who is post.author and not who.staff and post.number != 1:
            post.user_deleted, post.raw = True, "(post deleted by author)"
        else:
            post.deleted, post.deleted_by = self.clock(), who
        if hooks:
            await self.emit("post_destroyed", "post", self.hook_post(post))

    async def like(self, post: Written, by: str, reaction: str = "heart") -> None:
        post.likes[by] = reaction
        like = {"post": self.hook_post(post), "user": self.user(self.people[by])}
        await self.emit("post_liked", "like", like)

    def own(self) -> list[Written]:
        return [post for post in self.posts.values() if post.author.username == "consilium"]

    # --- webhooks

    async def emit(self, event: str, kind: str, payload: Json) -> None:
        """Post a webhook, as EmitWebHookEvent does; here without its minutes between retries."""
        if not self.hook:
            return
        body = json.dumps({kind: payload}, default=str).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Discourse-Instance": self.url,
            "X-Discourse-Event-Id": str(next(self._numbers)),
            "X-Discourse-Event-Type": kind,
            "X-Discourse-Event": event,
            "X-Discourse-Event-Signature": f"sha256={signature}",
        }
        assert self._session is not None
        for _ in range(5 if self.retry_hooks else 1):
            async with self._session.post(self.hook, data=body, headers=headers) as answer:
                self.hooked.add(answer.status)
                if answer.status < 300:
                    return

    # --- how things are told

    def user(self, person: Person) -> Json:
        template = f"/user_avatar/forum/{person.username}/{{size}}/7_2.png"
        return {
            "id": person.id, "username": person.username, "name": person.name or None,
            "avatar_template": template,
        }  # fmt: skip

    def told(self, post: Written, viewer: Person | None = None) -> Json:
        count = sum(1 for each in post.likes.values() if each == "heart")
        like: Json = {"id": 2, "count": count}
        if viewer is not None and viewer.username in post.likes:
            like |= {"acted": True, "can_undo": True}
        found = {
            **self.user(post.author), "id": post.id, "user_id": post.author.id,
            "post_number": post.number, "post_type": post.kind, "topic_id": post.topic.id,
            "topic_slug": "a-topic", "created_at": stamp(post.created),
            "updated_at": stamp(post.updated), "reply_to_post_number": post.reply_to,
            "raw": post.raw, "cooked": self.cooked(post.raw), "version": post.version,
            "hidden": post.hidden, "user_deleted": post.user_deleted,
            "deleted_at": None if post.deleted is None else stamp(post.deleted),
            "actions_summary": [like] if count or viewer else [],
        }  # fmt: skip
        if post.deleted_by is not None:
            found["deleted_by"] = self.user(post.deleted_by)
        if self.settings.get("discourse_reactions_enabled"):
            names = list(post.likes.values())
            found["reactions"] = [
                {"id": name, "type": "emoji", "count": names.count(name)} for name in set(names)
            ]
            mine = None if viewer is None else post.likes.get(viewer.username)
            found["current_user_reaction"] = mine and {"id": mine, "type": "emoji"}
        return found

    def listed(self, post: Written) -> Json:
        return {
            **self.told(post), "category_id": post.topic.category,
            "topic_title": post.topic.title, "topic_html_title": post.topic.title,
        }  # fmt: skip

    def hook_post(self, post: Written) -> Json:
        found = self.listed(post)
        del found["actions_summary"]
        return {
            **found, "topic_archetype": post.topic.archetype,
            "category_slug": self.categories[post.topic.category].slug,
        }  # fmt: skip

    def cooked(self, raw: str) -> str:
        def linked(found: re.Match[str]) -> str:
            name = found[1]
            if name.lower() in self.people:
                return f'<a class="mention" href="/u/{name.lower()}">@{name}</a>'
            return f'<span class="mention">@{name}</span>'

        return "<p>" + re.sub(r"(?<!\w)@(\w+)", linked, raw) + "</p>"

    # --- requests

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await self._body(request)
        try:
            for fits, problem in self.problems:
                if fits(request):
                    self.problems.remove((fits, problem))
                    raise problem
            answer = await self._answer(request, body)
        except ProblemError as problem:
            answer = web.json_response(
                problem.body, status=problem.status, headers=problem.headers or {}
            )
        now = asyncio.get_running_loop().time()
        self.asked.add(Asked(request.method, request.path, answer.status, body, now))
        await self.slow.wait()
        if request.method in self.lost:
            self.lost.remove(request.method)
            if request.transport is not None:
                request.transport.abort()
        return answer

    async def _body(self, request: web.Request) -> Json:
        if request.content_type == "application/json" and request.can_read_body:
            return await request.json()
        if request.content_type == "multipart/form-data":
            parts = await request.post()
            return dict(parts)
        return {}

    async def _answer(self, request: web.Request, body: Json) -> web.StreamResponse:
        viewer = self._viewer(request)
        for method, pattern, name in ROUTES:
            found = re.fullmatch(pattern, request.path)
            if method == request.method and found:
                answer = getattr(self, f"_{name}")(request, body, viewer, *found.groups())
                return (
                    answer if isinstance(answer, web.StreamResponse) else web.json_response(answer)
                )
        raise ProblemError(
            404, "The requested URL or resource could not be found.", kind="not_found"
        )

    def _viewer(self, request: web.Request) -> Person:
        username = request.headers.get("Api-Username", "")
        if request.headers.get("Api-Key") != KEY or username not in self.people:
            raise ProblemError(
                403, f"{NOT_PERMITTED} The API username or key is invalid.", kind="invalid_access"
            )
        return self.people[username]

    def _current(self, _request: web.Request, _body: Json, viewer: Person) -> Json:
        found = {**self.user(viewer), "admin": viewer.staff, "moderator": False}
        return {"current_user": {**found, "trust_level": viewer.trust_level}}

    def _settings(self, _request: web.Request, _body: Json, _viewer: Person) -> Json:
        return self.settings

    def _site(self, _request: web.Request, _body: Json, _viewer: Person) -> Json:
        listed = [each for each in self.categories.values() if each.listed]
        return {"categories": [self._category_json(each) for each in listed]}

    def _category_json(self, category: Category) -> Json:
        return {
            "id": category.id, "name": category.name, "slug": category.slug,
            "parent_category_id": category.parent, "permission": category.permission,
        }  # fmt: skip

    def _category(self, _request: web.Request, _body: Json, _viewer: Person, number: str) -> Json:
        if int(number) not in self.categories:
            raise ProblemError(404, "not found", kind="not_found")
        return {"category": self._category_json(self.categories[int(number)])}

    def _latest_topics(
        self, request: web.Request, _body: Json, _viewer: Person, _path: str, number: str
    ) -> Json:
        page = int(request.query.get("page", 0))
        topics = [each for each in self.topics.values() if each.category == int(number)]
        topics.sort(key=lambda each: (each.pinned, self._bumped(each)), reverse=True)
        chosen = topics[page * TOPICS : (page + 1) * TOPICS]
        return {
            "topic_list": {
                "per_page": TOPICS,
                "topics": [
                    {
                        "id": each.id, "title": each.title, "category_id": each.category,
                        "pinned": each.pinned, "bumped_at": stamp(self._bumped(each)),
                        "last_posted_at": stamp(self._bumped(each)),
                        "created_at": stamp(self._bumped(each)),
                    }
                    for each in chosen
                ],
            }
        }  # fmt: skip

    def _bumped(self, topic: Topic) -> datetime:
        times = [post.created for post in self.posts.values() if post.topic is topic]
        return max(times, default=datetime(2000, 1, 1, tzinfo=UTC))

    def _latest(self, request: web.Request, _body: Json, _viewer: Person) -> Json:
        before = int(request.query.get("before", 0)) or 10**9
        posts = [
            post for post in self.posts.values()
            if post.id < before and post.kind == REGULAR and post.deleted is None
            and post.topic.archetype == "regular" and post.topic.visible and not post.hidden
        ]  # fmt: skip
        posts.sort(key=lambda post: post.id, reverse=True)
        return {"latest_posts": [self.listed(post) for post in posts[:PAGE]]}

    def _find(self, number: str, viewer: Person) -> Written:
        post = self.posts.get(int(number))
        if post is None or (post.deleted is not None and not viewer.staff):
            raise ProblemError(404, "not found", kind="not_found")
        return post

    def _show(self, _request: web.Request, _body: Json, viewer: Person, number: str) -> Json:
        return self.told(self._find(number, viewer), viewer)

    def _topic(self, request: web.Request, _body: Json, viewer: Person, number: str) -> Json:
        topic = self.topics.get(int(number))
        posts = self._stream(topic, viewer)
        if topic is None or not posts:
            raise ProblemError(404, "not found", kind="not_found")
        return {
            "id": topic.id, "title": topic.title, "category_id": topic.category,
            "archetype": topic.archetype, "posts_count": len(posts),
            "post_stream": {
                "posts": [self._in_stream(post, request, viewer) for post in posts[:FIRST_POSTS]],
                "stream": [post.id for post in posts],
            },
        }  # fmt: skip

    def _some_posts(self, request: web.Request, _body: Json, viewer: Person, number: str) -> Json:
        wanted = {int(each) for each in request.query.getall("post_ids[]", [])}
        posts = self._stream(self.topics.get(int(number)), viewer)
        found = [self._in_stream(post, request, viewer) for post in posts if post.id in wanted]
        return {"post_stream": {"posts": found[:FIRST_POSTS]}, "id": int(number)}

    def _stream(self, topic: Topic | None, viewer: Person) -> list[Written]:
        return sorted(
            (
                post for post in self.posts.values()
                if post.topic is topic and post.deleted is None
                and (post.kind != WHISPER or viewer.staff)
            ),
            key=lambda post: post.number,
        )  # fmt: skip

    def _in_stream(self, post: Written, request: web.Request, viewer: Person) -> Json:
        found = self.told(post, viewer)
        if request.query.get("include_raw") != "true":
            del found["raw"]
        return found

    def _by_external_id(
        self, _request: web.Request, _body: Json, _viewer: Person, name: str
    ) -> web.Response:
        for topic in self.topics.values():
            if topic.external_id == name:
                return web.Response(
                    status=301, headers={"Location": f"{self.url}/t/a-topic/{topic.id}.json"}
                )
        raise ProblemError(404, "not found", kind="not_found")

    def _create(self, _request: web.Request, body: Json, viewer: Person) -> Json:
        signature = json.dumps(body, sort_keys=True)
        if signature in self._memory:
            return self._memory[signature]
        self._validate(body, viewer)
        if self.queue:
            return {"success": True, "action": "enqueued", "pending_post": {"id": 1}}
        if "topic_id" in body:
            topic = self.topics.get(int(body["topic_id"]))
            if topic is None:
                raise ProblemError(422, "Topic has been deleted")
        else:
            topic = self.topic(body["title"], int(body["category"]))
            topic.external_id = body.get("external_id")
        numbers = [post.number for post in self.posts.values() if post.topic is topic]
        now = self.clock()
        post = Written(
            next(self._numbers), topic, max(numbers, default=0) + 1, viewer, body["raw"], now, now,
            reply_to=body.get("reply_to_post_number"),
        )  # fmt: skip
        self.posts[post.id] = post
        self._memory[signature] = self.told(post, viewer)
        return self._memory[signature]

    def _validate(self, body: Json, viewer: Person) -> None:
        raw, errors = str(body.get("raw", "")), []
        if len(stripped(raw)) < self.settings["min_post_length"]:
            errors.append("Body is too short (minimum is 20 characters)")
        if len(raw) > self.settings["max_post_length"]:
            errors.append("Body is limited to 32000 characters")
        mine = [post.raw for post in self.posts.values() if post.author is viewer]
        if raw in mine:
            errors.append("Body is too similar to what you recently posted")
        if "topic_id" not in body:
            errors += self._wrong_with_title(body)
        if errors:
            raise ProblemError(422, *errors)

    def _wrong_with_title(self, body: Json) -> list[str]:
        title, errors = str(body.get("title", "")), []
        category = self.categories.get(int(body.get("category") or 0))
        if category is None or category.permission != 1:
            raise ProblemError(403, NOT_PERMITTED, kind="invalid_access")
        if not 15 <= len(stripped(title)) <= 255:
            errors.append("Title is too short (minimum is 15 characters)")
        if any(topic.title == title for topic in self.topics.values()):
            errors.append("Title has already been used")
        named = body.get("external_id")
        if named and not re.fullmatch(r"[\w-]{1,50}", named):
            errors.append("External is invalid")
        if named and any(topic.external_id == named for topic in self.topics.values()):
            errors.append("External has already been taken")
        return errors

    def _update(self, _request: web.Request, body: Json, viewer: Person, number: str) -> Json:
        post = self._find(number, viewer)
        if post.author is not viewer and not viewer.staff:
            raise ProblemError(403, NOT_PERMITTED, kind="invalid_access")
        if len(stripped(body["post"]["raw"])) < self.settings["min_post_length"]:
            raise ProblemError(422, "Body is too short (minimum is 20 characters)")
        post.raw, post.version, post.updated = body["post"]["raw"], post.version + 1, self.clock()
        return {"post": self.told(post, viewer)}

    def _destroy(
        self, _request: web.Request, _body: Json, viewer: Person, number: str
    ) -> web.Response:
        post = self._find(number, viewer)
        others = len(self._stream(post.topic, viewer)) > 1
        if not viewer.staff and (post.author is not viewer or (post.number == 1 and others)):
            raise ProblemError(403, NOT_PERMITTED, kind="invalid_access")
        post.deleted, post.deleted_by = self.clock(), viewer
        return web.Response(status=200)

    def _act(self, _request: web.Request, body: Json, viewer: Person) -> Json:
        post = self._find(str(body["id"]), viewer)
        if post.author is viewer or viewer.username in post.likes:
            raise ProblemError(403, NOT_PERMITTED, kind="invalid_access")
        post.likes[viewer.username] = "heart"
        return self.told(post, viewer)

    def _undo(self, _request: web.Request, _body: Json, viewer: Person, number: str) -> Json:
        post = self._find(number, viewer)
        if post.likes.pop(viewer.username, None) is None:
            raise ProblemError(404, "not found", kind="not_found")
        return self.told(post, viewer)

    def _actors(self, request: web.Request, _body: Json, viewer: Person) -> Json:
        post = self._find(request.query["id"], viewer)
        users = [self.user(self.people[name]) for name in post.likes]
        return {"post_action_users": users}

    def _plugin(self) -> None:
        if not self.settings.get("discourse_reactions_enabled"):
            raise ProblemError(404, "not found", kind="not_found")

    def _reactors(self, _request: web.Request, _body: Json, viewer: Person, number: str) -> Json:
        self._plugin()
        post, groups = self._find(number, viewer), {}
        for name, reaction in post.likes.items():
            groups.setdefault(reaction, []).append(self.user(self.people[name]))
        return {
            "reaction_users": [
                {"id": name, "count": len(users), "users": users} for name, users in groups.items()
            ]
        }

    def _toggle(
        self, _request: web.Request, _body: Json, viewer: Person, number: str, name: str
    ) -> Json:
        self._plugin()
        post = self._find(number, viewer)
        if name not in str(self.settings["discourse_reactions_enabled_reactions"]).split("|"):
            raise ProblemError(422, "This reaction is not enabled")
        if post.likes.get(viewer.username) == name:
            del post.likes[viewer.username]
        else:
            post.likes[viewer.username] = name
        return self.told(post, viewer)

    def _upload(self, _request: web.Request, body: Json, _viewer: Person) -> Json:
        file = body["file"]
        ending = file.filename.rpartition(".")[2].lower()
        if ending not in str(self.settings["authorized_extensions"]).split("|"):
            raise ProblemError(
                422, "Sorry, the file you are trying to upload is not authorized (authorized "
                "extensions: jpg, png, pdf)."
            )  # fmt: skip
        data = file.file.read()
        kind = "image" if file.content_type.startswith("image/") else "attachment"
        most = self.settings[f"max_{kind}_size_kb"]
        if len(data) > most * 1024:
            raise ProblemError(
                422, "Sorry, the file you are trying to upload is too big (maximum size is "
                f"{most // 1024} MB)."
            )  # fmt: skip
        name = f"{hashlib.sha1(file.filename.encode()).hexdigest()[:27]}.{ending}"
        self.uploads[name] = (file.filename, file.content_type, data)
        return {
            "id": len(self.uploads), "original_filename": file.filename,
            "short_url": f"upload://{name}", "url": f"/uploads/default/original/1X/{name}",
        }  # fmt: skip

    def _short(self, request: web.Request, _body: Json, _viewer: Person, name: str) -> web.Response:
        if name not in self.uploads:
            raise ProblemError(404, "not found", kind="not_found")
        return web.Response(
            status=302, headers={"Location": f"/uploads/default/original/1X/{name}"}
        )

    def _avatar(
        self, _request: web.Request, _body: Json, _viewer: Person, name: str, size: str
    ) -> web.Response:
        return web.Response(body=f"{name} at {size}".encode(), content_type="image/png")

    def _original(
        self, _request: web.Request, _body: Json, _viewer: Person, name: str
    ) -> web.Response:
        _, kind, data = self.uploads[name]
        return web.Response(body=data, content_type=kind)


ROUTES = (
    ("GET", r"/session/current\.json", "current"),
    ("GET", r"/site/settings\.json", "settings"),
    ("GET", r"/site\.json", "site"),
    ("GET", r"/c/(\d+)/show\.json", "category"),
    ("GET", r"/c/(.+)/(\d+)/l/latest\.json", "latest_topics"),
    ("GET", r"/posts\.json", "latest"),
    ("POST", r"/posts\.json", "create"),
    ("GET", r"/posts/(\d+)\.json", "show"),
    ("PUT", r"/posts/(\d+)\.json", "update"),
    ("DELETE", r"/posts/(\d+)\.json", "destroy"),
    ("GET", r"/t/(\d+)\.json", "topic"),
    ("GET", r"/t/(\d+)/posts\.json", "some_posts"),
    ("GET", r"/t/external_id/([\w-]+)\.json", "by_external_id"),
    ("POST", r"/post_actions\.json", "act"),
    ("DELETE", r"/post_actions/(\d+)\.json", "undo"),
    ("GET", r"/post_action_users\.json", "actors"),
    ("GET", r"/discourse-reactions/posts/(\d+)/reactions-users\.json", "reactors"),
    ("PUT", r"/discourse-reactions/posts/(\d+)/custom-reactions/([\w+-]+)/toggle\.json", "toggle"),
    ("POST", r"/uploads\.json", "upload"),
    ("GET", r"/user_avatar/forum/(\w+)/(\d+)/7_2\.png", "avatar"),
    ("GET", r"/uploads/short-url/([\w.]+)", "short"),
    ("GET", r"/uploads/default/original/1X/([\w.]+)", "original"),
)


def stamp(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stripped(text: str) -> str:
    """What StrippedLengthValidator counts."""
    text = re.sub(r"<!--(.*?)-->", "", text)
    text = re.sub(r":\w+(:\w+)?:", "X", text)
    return re.sub(r"\.{2,}", "…", text).strip()


def too_fast(seconds: int) -> ProblemError:
    """What a limit answers (ApplicationController, RateLimiter::LimitExceeded)."""
    return ProblemError(
        429, "Slow down, this was done too many times, please try again later.",
        kind="rate_limit", headers={"Retry-After": str(seconds)}, wait_seconds=seconds,
    )  # fmt: skip


@asynccontextmanager
async def forum() -> AsyncIterator[Forum]:
    found, app = Forum(), web.Application(client_max_size=50_000_000)
    app.router.add_route("*", "/{any:.*}", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    async with aiohttp.ClientSession() as session:
        found._session = session
        try:
            await web.TCPSite(runner, LOOPBACK, 0).start()
            found.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
            yield found
        finally:
            found.slow.set()
            await runner.cleanup()
