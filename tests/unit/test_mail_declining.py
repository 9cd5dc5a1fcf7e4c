"""What machines say is not relayed, nor what comes back; what people say is."""

import pytest

from adapters.mail.addresses import author_of
from adapters.mail.belonging import list_of
from adapters.mail.declining import Reason, own_key, why_not
from adapters.mail.header import Header
from adapters.mail.subjects import answers, bare, forwards, untagged

GROUP = "ward@lists.test"
OWN = "consilium@hospital.test"
OTHER = "consilium@clinic.test"
KEY = "abcdefghijklmnopqrstuvwxyz"


def header(**fields: str) -> Header:
    named = {"List-Id": "<ward.lists.test>", "From": "Anna <anna@clinic.test>"} | {
        name.replace("_", "-"): value for name, value in fields.items()
    }
    return Header("".join(f"{name}: {value}\r\n" for name, value in named.items()).encode())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"Auto_Submitted": "no"}, None),
        ({"Auto_Submitted": "No (said by hand)"}, None),
        ({"Auto_Submitted": "auto-replied"}, Reason.AUTOMATIC),
        ({"Auto_Submitted": "auto-generated; owner-email=x"}, Reason.AUTOMATIC),
        ({"Precedence": "list"}, None),
        ({"Precedence": "bulk"}, None),
        ({"Precedence": "bulk", "List_Id": ""}, None),
        ({"Precedence": "auto_reply"}, Reason.ANSWERED),
        ({"X_Autoreply": "yes"}, Reason.ANSWERED),
        ({"X_Autorespond": ""}, Reason.ANSWERED),
        ({"Return_Path": "<>"}, Reason.BOUNCE),
        ({"Return_Path": "<ward-bounces@lists.test>"}, None),
        ({"Content_Type": 'multipart/report; report-type="delivery-status"'}, Reason.BOUNCE),
        ({"From": "MAILER-DAEMON@lists.test"}, Reason.ADMINISTRATIVE),
        ({"From": "ward-request@lists.test"}, Reason.ADMINISTRATIVE),
        ({"From": "ward-owner@clinic.test"}, None),
        ({"X_List_Administrivia": "yes"}, Reason.ADMINISTRATIVE),
        ({"X_Consilium": OWN}, Reason.OWN),
        ({"X_Consilium": OWN.upper()}, Reason.OWN),
        ({"From": f'"Dr. Ann via Consilium" <{OWN}>'}, Reason.OWN),
        ({"From": "Ann via Ward <ward@lists.test>", "Message_ID": f"<{KEY}@hospital.test>"},
         Reason.OWN),
        ({"Message_ID": f"<{KEY}.2@Hospital.Test>"}, Reason.OWN),
        ({"Message_ID": "<note-of-anna@hospital.test>"}, None),
        ({"X_Consilium": OTHER}, Reason.OTHER_BRIDGE),
    ],
)  # fmt: skip
def test_a_mail_is_relayed_or_not(fields: dict[str, str], reason: Reason | None) -> None:
    assert why_not(header(**fields), GROUP, OWN) == reason


def test_bulk_that_no_list_sent_is_not_relayed() -> None:
    plain = Header(b"From: shop@x.test\r\nPrecedence: bulk\r\nTo: ward@lists.test\r\n")

    assert why_not(plain, GROUP, OWN) is Reason.BULK


def test_another_bridge_is_relayed_where_the_admin_says_so() -> None:
    mail = header(X_Consilium=OTHER, Auto_Submitted="auto-generated")

    assert why_not(mail, GROUP, OWN, (OTHER,)) is None


def test_the_key_of_an_own_mail_is_found_whatever_the_list_renamed() -> None:
    renamed = header(X_Consilium=OWN, X_Consilium_Key=KEY, Message_ID="<new@lists.test>")

    assert own_key(renamed, OWN) == KEY
    assert own_key(header(Message_ID=f"<{KEY}@hospital.test>"), OWN) == KEY
    assert own_key(header(X_Consilium=OTHER, X_Consilium_Key=KEY), OWN) == ""


@pytest.mark.parametrize(
    ("fields", "strictly", "loosely"),
    [
        (b"List-Id: Ward 5 <ward.lists.test>", True, True),
        (b"List-Id: <WARD.lists.TEST>", True, True),
        (b"List-Post: <mailto:Ward@lists.test>", True, True),
        (b"List-Post: NO", False, False),
        (b"X-BeenThere: ward@lists.test", True, True),
        (b"Mailing-List: list ward@lists.test; contact x", False, False),
        (b"To: Ward <ward@lists.test>", False, True),
        (b"Cc: a@b.test, ward@lists.test", False, True),
        (b"Delivered-To: ward@lists.test", False, True),
        (b"List-Id: <other.lists.test>\r\nTo: ward@lists.test", False, False),
        (b"To: a@b.test", False, False),
    ],
)
def test_a_mail_belongs_to_the_list_that_sent_it(
    fields: bytes, strictly: bool, loosely: bool
) -> None:
    mail = Header(fields + b"\r\n")

    assert (list_of(mail, {GROUP}, loosely=False) == GROUP) is strictly
    assert (list_of(mail, {GROUP}, loosely=True) == GROUP) is loosely


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"From": "Anna Jansen <Anna@Clinic.test>"}, ("anna@clinic.test", "Anna Jansen")),
        ({"From": "anna@clinic.test"}, ("anna@clinic.test", "anna")),
        ({"From": "=?utf-8?q?J=C3=BCrgen?= <j@c.test>"}, ("j@c.test", "Jürgen")),
        (
            {"From": "Anna via Ward <ward@lists.test>", "Reply_To": "Anna <anna@clinic.test>"},
            ("anna@clinic.test", "Anna"),
        ),
        (
            {"From": "'Anna' via Ward <ward@lists.test>", "X_Original_Sender": "anna@clinic.test"},
            ("anna@clinic.test", "Anna"),
        ),
        (
            {"From": "Anna via Ward <ward@lists.test>", "Reply_To": GROUP, "Cc": "Anna <a@c.test>"},
            ("a@c.test", "Anna"),
        ),
        (
            {"From": "Anna via Ward <ward@lists.test>", "Cc": "Bram <b@c.test>"},
            ("anna via ward@lists.test", "Anna"),
        ),
        ({"From": ""}, ("unknown", "Unknown sender")),
    ],
)
def test_the_writer_of_a_mail_is_found(fields: dict[str, str], who: tuple[str, str]) -> None:
    author = author_of(header(**fields), "lists", GROUP)

    assert (author.id, author.name) == who


@pytest.mark.parametrize(
    ("subject", "plain", "is_answer", "is_forward"),
    [
        ("Case", "Case", False, False),
        ("Re: Case", "Case", True, False),
        ("RE: AW: Antw: [ward] Sv: Case", "Case", True, False),
        ("Re[2]: Case", "Case", True, False),
        ("Fwd: Case", "Case", False, True),
        ("Re: Fwd: Case", "Case", True, False),
        ("WG: Re: Case", "Case", True, True),
        ("[ward] Case [urgent]", "Case [urgent]", False, False),
        ("Research: results", "Research: results", False, False),
        ("Re:", "", True, False),
        ("", "", False, False),
        ("[x]", "[x]", False, False),
    ],
)
def test_a_subject_tells_what_it_began_with(
    subject: str, plain: str, is_answer: bool, is_forward: bool
) -> None:
    assert (bare(subject), answers(subject), forwards(subject)) == (plain, is_answer, is_forward)


def test_only_the_name_of_the_list_itself_is_taken_off_a_subject() -> None:
    assert untagged("[Ward] Case", GROUP) == "Case"
    assert untagged("[urgent] Case", GROUP) == "[urgent] Case"
