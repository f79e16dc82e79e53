"""A family (story, step 4): the owner pays, invites a member and a child without e-mail; each has an account, a record and the
grants; the owner sees the child's progress; a member leaves and keeps the record."""

from __future__ import annotations

import itertools
import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from playwright.sync_api import Page, expect

from city import City, Mailbox, eventually
from conftest import PHONE
from paying import fill_card, subscribe
from people import enter, person, program, register

JSON = {"Accept": "application/json"}
CHILD_PASSWORD = "seven yellow umbrellas"
names = itertools.count(int(time.time()))


def sign_in_name() -> str:
    """One that no child of the city has."""
    return f"jiu{next(names)}"


def newcomer(open_page, mailbox: Mailbox, url, name: str, **options) -> Page:
    page = open_page(**options)
    page.goto(url("", "/"))
    register(page, mailbox, person(name))
    return page


def practise(page: Page, url) -> None:
    """One item, answered with its first choice, or skipped where it has none."""
    page.goto(url("univprep", "/"))
    if (sign_in := page.get_by_role("banner").get_by_role("link", name="로그인하기")).is_visible():
        sign_in.click()
        page.wait_for_url(re.compile("//univprep"))
    page.get_by_role("main").get_by_role("button").first.click()
    choice = page.get_by_role("main").get_by_role("radio")
    expect(page.get_by_role("button", name="답 내기")).to_be_visible()
    if choice.count():
        choice.first.check(force=True)
        page.get_by_role("button", name="답 내기").click()
    else:
        page.get_by_role("button", name=re.compile("건너|모르")).first.click()
    expect(page.get_by_role("heading", name="왜 그럴까요?")).to_be_visible()


def test_a_family_in_a_browser(city: City, mailbox: Mailbox, open_page, url) -> None:
    # The owner pays, and is led to her family.
    owner = newcomer(open_page, mailbox, url, "은영")
    owner.goto(url("", "/plans"))
    owner.get_by_role("link", name="가족 시작하기", exact=True).click()
    owner.get_by_role("button", name="결제하러 가기").click()
    fill_card(owner)
    expect(owner.get_by_role("heading", level=1)).to_have_text("가족")
    owner.get_by_role("link", name="가족 관리").click()
    expect(owner.get_by_role("main")).to_contain_text("7자리 중 1자리")

    # She makes a link for a member. It is told once.
    owner.locator("#label").fill("남편")
    owner.get_by_role("button", name="초대 링크 만들기").click()
    link = owner.locator("#link").input_value()
    assert link.startswith(url("", "/family/join?token="))
    owner.get_by_role("main").get_by_role("link", name="가족으로 돌아가기").click()
    expect(owner.get_by_role("listitem").filter(has_text="남편")).to_contain_text("기다리는 중")
    assert link.split("token=")[1] not in owner.content()

    # And an account for a child, without an e-mail. What is wrong is said where it is wrong, and what was typed stays.
    name = sign_in_name()
    owner.locator("#name").fill("지우")
    owner.locator("#signInName").fill("지우 공주")
    owner.locator("#password").fill(CHILD_PASSWORD)
    owner.get_by_role("button", name="아이 계정 만들기").click()
    expect(owner.locator("#signInName-error")).to_be_visible()
    expect(owner.locator("#name")).to_have_value("지우")
    owner.locator("#signInName").fill(name)
    owner.locator("#password").fill(CHILD_PASSWORD)
    owner.get_by_role("button", name="아이 계정 만들기").click()
    expect(owner.get_by_role("status")).to_contain_text("아이 계정을 만들었어요")
    expect(owner.get_by_role("listitem").filter(has_text="지우")).to_contain_text(name)

    # The child signs in with the name, and practises.
    child = open_page(**PHONE)
    child.goto(url("univprep", "/"))
    child.get_by_role("banner").get_by_role("link", name="로그인하기").click()
    child.locator("#email").fill(name)
    child.locator("#password").fill(CHILD_PASSWORD)
    child.get_by_role("main").get_by_role("button").first.click()
    expect(child).to_have_url(re.compile("//univprep"))
    practise(child, url)
    # The child has the grants, and a record of its own.
    child.goto(url("", "/account"))
    card = child.get_by_role("region", name="구독")
    expect(card).to_contain_text("가족")
    expect(card).to_contain_text("은영님의 가족으로")
    eventually("the child's timeline", lambda: child.reload() and child.locator(".timeline li.t-univprep").count())
    # It is in somebody's care: there is nothing to leave or to pay.
    child.goto(url("", "/family"))
    expect(child.get_by_role("main")).to_contain_text("은영님의 가족")
    expect(child.get_by_text("가족에서 나가기")).to_have_count(0)

    # A member joins by the link: what she gets and what is seen of her is said before.
    member = newcomer(open_page, mailbox, url, "도윤", **PHONE)
    member.goto(link)
    expect(member.get_by_role("heading", level=1)).to_contain_text("은영님이")
    expect(member.get_by_role("main")).to_contain_text("무엇을 배우고 썼는지는 보이지 않아요")
    member.get_by_role("button", name="가족에 참여하기").click()
    expect(member.get_by_role("status")).to_contain_text("참여했어요")
    practise(member, url)
    member.goto(url("", "/account"))
    expect(member.get_by_role("region", name="구독")).to_contain_text("은영님의 가족으로")
    eventually("the member's timeline", lambda: member.reload() and member.locator(".timeline li.t-univprep").count())
    kept = member.locator(".timeline li.t-univprep").count()

    # A second person with the same link gets one clear answer, and nothing changes.
    late = newcomer(open_page, mailbox, url, "하준")
    late.goto(link)
    expect(late.get_by_role("heading", level=1)).to_have_text("쓸 수 없는 초대예요")
    expect(late.get_by_role("main")).to_contain_text("바뀐 것은 없어요")
    late.goto(url("", "/subscription"))
    expect(late.get_by_role("main")).to_contain_text("아직 구독이 없어요")

    # The owner sees how the child gets on, and of the member the name only.
    owner.goto(url("", "/family"))
    expect(owner.get_by_role("main")).to_contain_text("7자리 중 3자리")
    expect(owner.get_by_role("listitem").filter(has_text="도윤").get_by_role("link")).to_have_count(0)
    owner.get_by_role("link", name=re.compile("^진도 보기")).click()
    expect(owner.get_by_role("heading", level=1)).to_have_text("지우")
    expect(owner.get_by_role("row").filter(has_text="유니브프렙AI").first).to_contain_text("방금")

    # The member leaves: her record stays hers, what was granted ends.
    member.goto(url("", "/family"))
    member.get_by_text("가족에서 나가기").click()
    member.locator("form[action='/family/leave'] button").click()
    expect(member.get_by_role("status")).to_be_visible()
    member.goto(url("", "/account"))
    expect(member.get_by_role("region", name="구독")).not_to_contain_text("은영")
    assert member.locator(".timeline li.t-univprep").count() == kept
    owner.goto(url("", "/family"))
    expect(owner.get_by_role("main")).to_contain_text("7자리 중 2자리")
    expect(owner.get_by_role("listitem").filter(has_text="도윤")).to_have_count(0)


@pytest.fixture
def someone(city: City, mailbox: Mailbox, api):
    """Makes a program of a new person, signed in at the city and at UnivPrepAI."""

    def make(name: str) -> httpx.Client:
        client = program(api(), city, mailbox, person(name))
        for host in ("", "univprep"):
            enter(client, city, host)
        return client

    return make


def unlimited(client: httpx.Client, city: City) -> bool:
    """Whether there is no limit on practice, anywhere."""
    allowances = client.get(city.url("", "/account"), headers=JSON).json()["allowances"]
    return all("limit" not in one for one in allowances)


def family(client: httpx.Client, city: City) -> dict:
    return client.get(city.url("", "/family"), headers=JSON).json()


def post(client: httpx.Client, city: City, path: str, **body: object) -> httpx.Response:
    return client.post(city.url("", path), json=body, headers=JSON)


def solve(client: httpx.Client, city: City) -> int:
    """One item, skipped; the status of its start."""
    started = client.post(city.url("univprep", "/practice"), json={}, headers=JSON)
    if started.status_code == 201:
        client.post(city.url("univprep", f"/practice/{started.json()['id']}/answer"), json={"skip": True}, headers=JSON)
    return started.status_code


def test_a_family_by_program(city: City, api, someone) -> None:
    owner, member, late = someone("은영"), someone("도윤"), someone("하준")
    home = city.url("", "")
    assert family(owner, city) == {}
    # Nobody invites without a family to invite to.
    assert post(owner, city, "/family/invitations", label="남편").status_code == 409
    assert not unlimited(member, city)
    subscribe(owner, home, plan="family")
    assert family(owner, city)["own"]["seats"] == 7

    invited = post(owner, city, "/family/invitations", label="남편")
    assert invited.status_code == 201, invited.text
    token = invited.json()["link"].split("token=")[1]
    # The link is told once: it is in no later answer.
    assert "link" not in family(owner, city)["own"]["invitations"][0]
    own = post(owner, city, "/family/join", token=token)
    assert own.status_code == 409, own.text

    offer = member.get(city.url("", f"/family/join?token={token}"), headers=JSON).json()
    assert offer["owner"] == "은영" and offer["plan"] == "family" and not offer["isTakenByYou"]

    # Taken by two at once: one has it, the other gets one clear answer, however often they ask.
    def join(client: httpx.Client) -> int:
        return post(client, city, "/family/join", token=token).status_code

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(join, [member, late] * 4))
    winner, loser = (member, late) if outcomes[0] == 200 else (late, member)
    won = outcomes[::2] if winner is member else outcomes[1::2]
    lost = outcomes[1::2] if winner is member else outcomes[::2]
    assert set(won) == {200} and set(lost) == {409}, outcomes
    assert [one["role"] for one in family(owner, city)["own"]["members"]] == ["owner", "member"]
    assert family(loser, city) == {} and not unlimited(loser, city)
    assert unlimited(winner, city) and unlimited(owner, city)

    # A child, made once though it is asked for twice; its name is taken for all others.
    name = sign_in_name()
    body = {"name": "지우", "signInName": name, "password": CHILD_PASSWORD}
    made = post(owner, city, "/family/children", **body)
    assert made.status_code == 201, made.text
    assert post(owner, city, "/family/children", **body).json() == made.json()
    for wrong, field in (({"signInName": "a b"}, "signInName"), ({"password": "short"}, "password"), ({"name": ""}, "name")):
        refused = post(owner, city, "/family/children", **body | {"signInName": sign_in_name()} | wrong)
        assert refused.status_code == 422, refused.text
        assert [entry["field"] for entry in refused.json()["errors"]] == [field]
    assert family(owner, city)["own"]["taken"] == 3

    child = api()
    signed_in = child.post(
        city.url("id", "/signin"), json={"email": name, "password": CHILD_PASSWORD}, headers=JSON)
    assert signed_in.status_code < 300, signed_in.text
    for host in ("", "univprep"):
        enter(child, city, host)
    assert unlimited(child, city)
    assert [solve(child, city) for _ in range(3)] == [201] * 3
    # Children do not leave, invite or pay by themselves.
    assert post(child, city, "/family/leave").status_code == 409
    assert post(child, city, "/family/invitations", label="친구").status_code == 409

    # The owner sees the child's progress; nobody else does, and nobody sees an adult's.
    path = f"/family/members/{made.json()['person']}"

    def activities() -> int:
        tenants = owner.get(city.url("", path), headers=JSON).json()["tenants"]
        return sum(one["activities"] for one in tenants if one["tenant"] == "univprep")

    eventually("the child's progress", lambda: activities() == 3)
    assert winner.get(city.url("", path), headers=JSON).status_code == 404
    adult = next(one["person"] for one in family(owner, city)["own"]["members"] if one["role"] == "member")
    assert owner.get(city.url("", f"/family/members/{adult}"), headers=JSON).status_code == 404

    # A member leaves: the grants end, the record stays.
    assert solve(winner, city) == 201

    def timeline() -> list[dict]:
        return winner.get(city.url("", "/account/timeline?limit=100"), headers=JSON).json()["entries"]

    before = eventually("her timeline", timeline)
    left = post(winner, city, "/family/leave")
    assert left.status_code == 200 and left.json() == {}, left.text
    # Asked for again, it is done already.
    assert post(winner, city, "/family/leave").json() == {}
    assert not unlimited(winner, city) and timeline() == before
    assert winner.get(city.url("", "/subscription"), headers=JSON).json() == {}
    # The link stays taken.
    assert post(loser, city, "/family/join", token=token).status_code == 409

    # Without a seat the child keeps account and record, and gets the seat again.
    assert post(owner, city, f"{path}/remove").status_code == 200
    assert not unlimited(child, city)
    assert post(owner, city, f"/family/children/{made.json()['person']}/seat").status_code == 200
    assert unlimited(child, city)

    # A withdrawn link is dead.
    again = post(owner, city, "/family/invitations", label="동생").json()
    assert post(owner, city, f"/family/invitations/{again['id']}/withdraw").status_code == 200
    dead = post(loser, city, "/family/join", token=again["link"].split("token=")[1])
    assert dead.status_code == 409 and family(loser, city) == {}
    assert post(loser, city, "/family/join", token="nonsense").status_code == 409

    done = city.run("audit", "verify")
    assert done.returncode == 0 and "balanced" in done.stdout, done.stdout + done.stderr
