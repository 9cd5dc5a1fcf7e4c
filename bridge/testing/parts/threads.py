"""Replies and topics, both ways."""

from bridge.contract import Feature, Topic
from bridge.testing.base import Part, hears, receiving, sending, shows
from bridge.testing.lab import Lab, Words
from bridge.testing.stage import BOB, Copied, Stage, copy_of, names


class Threads(Part):
    """What belongs to what."""

    # --- shown there

    @shows(Feature.REPLY)
    async def test_an_answer_to_a_doctor_is_shown_as_one(self, stage: Stage, group: str) -> None:
        await stage.enter(group)
        question = await stage.say(group, "Who was with the patient last night?")
        asked = await stage.sees(group, "Who was with")
        await stage.say(group, "I was there until four o'clock", BOB, reply_to=question.copy)
        seen = await stage.sees(group, "until four o'clock")
        # The first message of a topic needs no mark to be answered there
        assert asked.id in {seen.reply_to, seen.topic}

    @shows(Feature.REPLY)
    @receiving
    async def test_an_answer_to_a_colleague_is_shown_as_one(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        ident = await lab.say(group, Words("Does anybody know this medicine?"))
        question = copy_of(await stage.hears(group, "Does anybody know"))
        await stage.say(group, "I have used it for two years", reply_to=question)
        seen = await stage.sees(group, "for two years")
        assert ident in {seen.reply_to, seen.topic}

    @shows(Feature.TOPIC)
    async def test_what_is_said_in_a_topic_is_shown_in_it(self, stage: Stage, group: str) -> None:
        await stage.enter(group)
        root = await stage.say(group, "The case of the week: a sore throat")
        await stage.say(group, "Something that has nothing to do with it")
        named, topic = root.sent.topic, _topic(root)
        for text in ("What did the culture show us?", "It has shown nothing at all"):
            reply = await stage.say(group, text, BOB, topic=topic)
            assert reply.sent.topic, "send has to tell what the topic is called"
            assert named in {None, reply.sent.topic}
            named = reply.sent.topic
            topic = Topic(named, root.copy)
        first = await stage.sees(group, "The case of the week")
        other = await stage.sees(group, "nothing to do with it")
        for text in ("the culture show", "nothing at all"):
            assert (await stage.sees(group, text)).topic == first.id
        assert other.topic != first.id

    @shows(Feature.TOPIC)
    @receiving
    async def test_a_colleagues_message_can_begin_a_topic(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        ident = await lab.say(group, Words("My case of the week: a stiff knee"))
        root = await stage.hears(group, "a stiff knee")
        topic = Topic(root.topic, copy_of(root))
        await stage.say(group, "What does the X-ray show us?", topic=topic)
        assert (await stage.sees(group, "does the X-ray show")).topic == ident

    # --- heard from there

    @hears(Feature.REPLY)
    async def test_an_answer_is_heard_as_one(self, lab: Lab, stage: Stage, group: str) -> None:
        await stage.enter(group)
        ident = await lab.say(group, Words("Who has seen the patient today?"))
        question = await stage.hears(group, "seen the patient")
        await lab.say(group, Words("I saw him before breakfast", reply_to=ident))
        answer = await stage.hears(group, "before breakfast")
        assert answer.reply_to in names(question)

    @hears(Feature.REPLY)
    @sending
    async def test_an_answer_to_a_doctor_is_heard_as_one(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        question = await stage.say(group, "Who will see the patient tomorrow?")
        ident = (await stage.sees(group, "Who will see")).id
        await lab.say(group, Words("I will do that after breakfast", reply_to=ident))
        answer = await stage.hears(group, "after breakfast")
        assert answer.reply_to in question.names

    @hears(Feature.TOPIC)
    async def test_what_is_said_in_a_topic_is_heard_so(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        ident = await lab.say(group, Words("The riddle of the month: a rash"))
        root = await stage.hears(group, "the month: a rash")
        await lab.say(group, Words("Quite another matter than that"))
        other = await stage.hears(group, "Quite another matter")
        for text in ("Was she abroad at that time?", "She has not been for years"):
            await lab.say(group, Words(text, topic=ident))
            heard = await stage.hears(group, text)
            assert heard.topic
            assert heard.topic in {root.topic, *names(root)}
            assert heard.topic != other.topic

    @hears(Feature.TOPIC)
    @shows(Feature.TOPIC)
    async def test_a_colleague_goes_on_in_a_doctors_topic(
        self, lab: Lab, stage: Stage, group: str
    ) -> None:
        await stage.enter(group)
        root = await stage.say(group, "My riddle of the month: a cough")
        second = await stage.say(group, "He has had it since June or so", topic=_topic(root))
        ident = (await stage.sees(group, "riddle of the month")).id
        await stage.sees(group, "since June")
        await lab.say(group, Words("Has he a cat or a dog at home?", topic=ident))
        heard = await stage.hears(group, "cat or a dog")
        assert heard.topic in {second.sent.topic, *root.names}


def _topic(root: Copied) -> Topic:
    return Topic(root.sent.topic, root.copy, "The case of the week")
