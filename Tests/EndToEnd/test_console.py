"""The console: staff see what their posts open, others a closed door; who runs the city sees how it does and says who may
do what."""

from __future__ import annotations

import os
import re
import subprocess

import httpx
import pytest
from playwright.sync_api import Page, expect

from city import City, Mailbox, api_client, eventually
from people import person, program

JSON = {"Accept": "application/json"}
HTML = {"Accept": "text/html"}
SAMPLE_PASSWORD = "metropolis-2026"
CITY, FINANCE, OPERATOR = "city@example.com", "finance@example.com", "operator@example.com"


def sign_in_page(page: Page, url, email: str, path: str = "/") -> None:
    """Opens a page of the console, is taken to sign in, and comes back."""
    page.goto(url("console", path))
    page.locator("#email").fill(email)
    page.locator("#password").fill(SAMPLE_PASSWORD)
    page.get_by_role("main").get_by_role("button").first.click()
    page.wait_for_url(re.compile(r"//console\.localhost"))


def sign_in(client: httpx.Client, city: City, email: str) -> httpx.Client:
    """A program's session of one of the sample people at the console."""
    answer = client.post(
        city.url("id", "/signin"), json={"email": email, "password": SAMPLE_PASSWORD}, headers=JSON)
    assert answer.status_code < 300, answer.text
    client.get(city.url("console", "/signin?return_to=/robots.txt"), follow_redirects=True)
    return client


def post(client: httpx.Client, city: City, path: str, body: dict[str, str]) -> httpx.Response:
    return client.post(city.url("console", path), json=body, headers=JSON)


def test_a_visitor_is_taken_to_sign_in_and_a_program_is_told(city: City, api) -> None:
    for path in ("/", "/city", "/city/staff", "/city/dead-letters"):
        taken = api().get(city.url("console", path), headers=HTML)
        assert taken.status_code == 303 and taken.headers["location"].startswith("/signin?return_to="), path
        assert api().get(city.url("console", path), headers=JSON).status_code == 401, path


def test_somebody_without_a_post_meets_a_closed_door(city: City, mailbox: Mailbox, api, open_page, url) -> None:
    client = program(api(), city, mailbox, person("하늘"))
    client.get(city.url("console", "/signin?return_to=/robots.txt"), follow_redirects=True)
    home = client.get(city.url("console", "/"), headers=HTML)
    assert home.status_code == 403 and "도시 운영자" in home.text
    for path in ("/", "/city", "/city/staff", "/city/dead-letters"):
        assert client.get(city.url("console", path), headers=JSON).status_code == 403, path
    # To look at the console makes nobody a member of it.
    memberships = client.get(city.url("", "/signin?return_to=/account"), headers=JSON, follow_redirects=True).json()
    assert "console" not in [one["tenant"] for one in memberships["memberships"]]


def test_each_post_opens_its_own_and_no_more(city: City, api) -> None:
    posts = {
        OPERATOR: [("operator", "univprep")], FINANCE: [("finance", "city")], CITY: [("operator", "city")],
    }
    for email, expected in posts.items():
        client = sign_in(api(), city, email)
        home = client.get(city.url("console", "/"), headers=JSON)
        assert home.status_code == 200, home.text
        assert [(one["role"], one["place"]) for one in home.json()["posts"]] == expected
        status = 200 if email == CITY else 403
        for path in ("/city", "/city/staff", "/city/dead-letters"):
            assert client.get(city.url("console", path), headers=JSON).status_code == status, (email, path)
        menu = client.get(city.url("console", "/"), headers=HTML).text
        assert ('href="/city/staff"' in menu) == (email == CITY)
        assert ('<a href="/finance"' in menu) == (email == FINANCE)
        # Her posts stand on one line of her account, which leads to the console.
        account = client.get(city.url("", "/signin?return_to=/account"), headers=JSON, follow_redirects=True).json()
        line = next(one for one in account["memberships"] if one["tenant"] == "console")
        assert line["roles"] == [f"{role}@{place}" for role, place in expected]


def test_the_overview_tells_how_the_city_does(city: City, api, open_page, url) -> None:
    client = sign_in(api(), city, CITY)
    view = client.get(city.url("console", "/city"), headers=JSON).json()
    open_tenants = [one for one in view["tenants"] if one["state"] == "open"]
    assert open_tenants and all(one["healthy"] and one["schema"].startswith("t_") for one in open_tenants)
    assert {one["schema"] for one in view["outboxes"]} >= {"identity", "billing", "t_jeju"}
    assert view["configurations"][0]["version"] == 1
    eventually("a run of the timetable", lambda: client.get(city.url("console", "/city"), headers=JSON).json()["timetable"])

    page = open_page()
    sign_in_page(page, url, CITY)
    page.get_by_role("banner").get_by_role("link", name="도시 현황").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("도시 현황")
    expect(page.get_by_role("row").filter(has_text="유니브프렙AI")).to_contain_text("응답해요")


def test_a_dead_letter_is_seen_and_tried_again(city: City, api, open_page, url) -> None:
    kill_a_job(city)
    client = sign_in(api(), city, CITY)
    letters = client.get(city.url("console", "/city/dead-letters"), headers=JSON).json()["letters"]
    letter = next(one for one in letters if one["kind"] == "test.unknown")
    assert letter["source"] == "job" and letter["lastError"] == "not-found"
    assert client.get(city.url("console", "/city"), headers=JSON).json()["deadLetters"] >= 1

    page = open_page()
    sign_in_page(page, url, CITY, "/city/dead-letters")
    row = page.get_by_role("listitem").filter(has_text="test.unknown")
    expect(row).to_contain_text("not-found")
    row.get_by_role("button", name=re.compile("다시 시도하기")).click()
    expect(page.get_by_role("status")).to_contain_text("다시 시도하고 있어요")
    # Nobody knows this kind of job: it comes back, with the tries of a new life.
    eventually(
        "the letter to come back",
        lambda: "test.unknown" in [
            one["kind"] for one in client.get(city.url("console", "/city/dead-letters"), headers=JSON).json()["letters"]
        ], 30)
    nobody = post(client, city, "/city/dead-letters/job/017f22e2-79b0-7cc3-98c4-dc0c0c07398f/retry", {})
    assert nobody.status_code == 404
    again = post(client, city, f"/city/dead-letters/job/{letter['id']}/retry", {})
    assert again.status_code == 202, again.text
    assert "unbroken" in city.run("audit", "verify").stdout


def kill_a_job(city: City) -> None:
    """Queues work that no one knows, by its own database's superuser, with one try."""
    sql = (
        "INSERT INTO platform.job (id, queue, kind, payload, attempts_max) "
        "VALUES (gen_random_uuid(), 'housekeeping', 'test.unknown', '{}', 1)")
    password = (city.data / "postgres.password").read_text().strip()
    done = subprocess.run(
        psql(city, sql), capture_output=True, text=True, timeout=30, env=os.environ | {"PGPASSWORD": password})
    assert done.returncode == 0, done.stderr

    with api_client() as client:
        client = sign_in(client, city, CITY)
        eventually(
            "the job to be given up",
            lambda: client.get(city.url("console", "/city"), headers=JSON).json()["deadLetters"], 15)


def psql(city: City, sql: str) -> list[str]:
    socket = next((city.data / "postgres.socket").glob(".s.PGSQL.*[0-9]"))
    login = f"host={socket.parent} port={socket.name.rsplit('.', 1)[1]} user=metropolis dbname=metropolis"
    return ["psql", login, "-v", "ON_ERROR_STOP=1", "-c", sql]


def test_a_post_is_given_and_withdrawn_by_page(city: City, mailbox: Mailbox, api, open_page, url) -> None:
    someone = person("보람")
    worker = program(api(), city, mailbox, someone)
    page = open_page()
    sign_in_page(page, url, CITY, "/city/staff")

    page.locator("#email").fill("nobody-here@example.com")
    page.locator("#post").select_option("operator@busan")
    page.get_by_role("button", name="자리 주기").click()
    expect(page.locator("#email-error")).to_contain_text("계정이 없어요")
    expect(page.locator("#email")).to_have_value("nobody-here@example.com")
    expect(page.locator("#post")).to_have_value("operator@busan")

    page.locator("#email").fill(someone.email)
    page.get_by_role("button", name="자리 주기").click()
    expect(page.get_by_role("status")).to_contain_text("자리를 줬어요")
    row = page.get_by_role("listitem").filter(has_text="보람")
    expect(row).to_contain_text("부산")
    worker.get(city.url("console", "/signin?return_to=/robots.txt"), follow_redirects=True)
    assert worker.get(city.url("console", "/"), headers=JSON).json()["posts"][0]["place"] == "busan"

    row.locator("summary").click()
    row.get_by_role("button", name="자리 거두기").click()
    expect(page.get_by_role("status")).to_contain_text("거뒀어요")
    expect(page.get_by_role("listitem").filter(has_text="보람")).to_have_count(0)
    eventually(
        "her open session to lose the post",
        lambda: worker.get(city.url("console", "/"), headers=JSON).status_code == 403, 8)


def test_a_post_is_given_and_withdrawn_by_program(city: City, mailbox: Mailbox, api) -> None:
    someone = person("가온")
    program(api(), city, mailbox, someone)
    client = sign_in(api(), city, CITY)

    unknown = post(client, city, "/city/staff", {"email": "nobody-here@example.com", "post": "operator@busan"})
    assert unknown.status_code == 422 and [one["field"] for one in unknown.json()["errors"]] == ["email"]
    for wrong in ("finance@busan", "operator@nowhere", "owner@city", ""):
        answer = post(client, city, "/city/staff", {"email": someone.email, "post": wrong})
        assert answer.status_code == 422 and [one["field"] for one in answer.json()["errors"]] == ["post"], wrong

    for _ in range(2):
        given = post(client, city, "/city/staff", {"email": someone.email.upper(), "post": "finance@city"})
        assert given.status_code == 201 and given.json()["post"] == "finance@city", given.text
    staff = client.get(city.url("console", "/city/staff"), headers=JSON).json()["staff"]
    mine = [one for one in staff if one["email"] == someone.email]
    assert [one["post"] for one in mine] == ["finance@city"]

    gone = f"/city/staff/{mine[0]['person']}/withdraw"
    assert post(client, city, gone, {"post": "finance@city"}).status_code == 204
    assert post(client, city, gone, {"post": "finance@city"}).status_code == 404
    herself = next(one["person"] for one in staff if one["email"] == CITY)
    assert post(client, city, f"/city/staff/{herself}/withdraw", {"post": "operator@city"}).status_code == 409


def test_posts_by_command(city: City, mailbox: Mailbox, api) -> None:
    someone = person("다온")
    program(api(), city, mailbox, someone)
    to = ["--email", someone.email, "--at", "jeju", "--role", "operator"]
    given = city.run("member", "grant", *to)
    assert given.returncode == 0 and "operator@jeju" in given.stdout, given.stderr
    assert "operator@jeju" in city.run("member", "list").stdout
    assert city.run("member", "withdraw", *to).returncode == 0
    gone = city.run("member", "withdraw", *to)
    assert gone.returncode != 0 and "found no post, expected operator@jeju" in gone.stderr
    for change, message in (
        ({"--at": "atlantis"}, "--at: found “atlantis”, expected one of city, "),
        ({"--role": "king"}, "--role: found “king”, expected one of operator, finance"),
        ({"--role": "finance"}, "--at: found “jeju”, expected city"),
        ({"--email": "nobody-here@example.com"}, "--email: found an address that no account has"),
    ):
        options = dict(zip(to[::2], to[1::2])) | change
        refused = city.run("member", "grant", *[part for pair in options.items() for part in pair])
        assert refused.returncode != 0 and message in refused.stderr, refused.stderr


@pytest.mark.parametrize("path", ["/city", "/city/staff"])
def test_a_method_that_is_not_taken_says_which_are(city: City, api, path: str) -> None:
    answer = api().put(city.url("console", path), headers=JSON)
    assert answer.status_code == 405 and answer.json()["type"].endswith("/problems/method-not-allowed")
    assert answer.headers["allow"].startswith("GET, HEAD")


FLAG = "gateway.response-cache"


def test_a_change_is_turned_off_and_on_for_everyone(city: City, api, open_page, url) -> None:
    reader, steps = api(headers=JSON), [("0%에 켜짐", "0"), ("100%에 켜짐", "100")]

    def kept() -> int:
        """How often the cache was of use, or meant to be, while a list was read twice."""
        def figure() -> int:
            text = reader.get(city.url("", "/metrics")).text
            found = re.findall(r"^gateway_cache_(?:hits|misses) (\d+)$", text, re.MULTILINE)
            assert len(found) == 2, text
            return sum(map(int, found))
        before = figure()
        for _ in range(2):
            assert reader.get(city.url("jeju", "/questions")).status_code == 200
        return figure() - before

    assert kept() > 0
    client = sign_in(api(), city, CITY)

    def newest() -> int:
        read = lambda: client.get(city.url("console", "/city"), headers=JSON).json().get("configurations")
        return eventually("the versions are read", read)[0]["version"]
    before = newest()
    # Off with the keyboard alone, on again without JavaScript.
    for (said, share), script in zip(steps, (True, False), strict=True):
        page = open_page(java_script_enabled=script)
        sign_in_page(page, url, CITY, "/city")
        page.get_by_text("기능과 켜진 비율 보기").press("Enter")
        row = page.get_by_role("listitem").filter(has_text=FLAG)
        expect(row).to_contain_text("모든 서비스")
        row.get_by_label("켤 사람의 비율").select_option(share)
        row.get_by_role("button", name="비율 바꾸기").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("비율을 바꿨어요")
        expect(row.locator(".badge")).to_have_text(said)
        expect(row.get_by_label("켤 사람의 비율")).to_have_value(share)
        flags = client.get(city.url("console", "/city"), headers=JSON).json()["flags"]
        assert [one["share"] for one in flags if one["name"] == FLAG] == [share]
        # The registry turns just after the flags.
        eventually(f"the flag at {share}% is in force", lambda share=share: (kept() > 0) == (share == "100"))
    assert newest() == before + 2
    assert "unbroken" in city.run("audit", "verify").stdout


def test_a_flag_by_program(city: City, api) -> None:
    client, path = sign_in(api(), city, CITY), f"/city/flags/{FLAG}"
    for wrong in ({}, {"share": 101}, {"share": -1}, {"share": "many"}):
        answer = client.post(city.url("console", path), json=wrong, headers=JSON)
        assert answer.status_code == 422 and [one["field"] for one in answer.json()["errors"]] == ["share"], (wrong, answer.text)
    assert client.post(city.url("console", "/city/flags/unheard-of"), json={"share": 1}, headers=JSON).status_code == 404
    for share, said in ((99.5, "99.5"), (100, "100")):
        answer = client.post(city.url("console", path), json={"share": share}, headers=JSON)
        assert answer.status_code == 200 and answer.json()["share"] == said, answer.text
    for email in (OPERATOR, FINANCE):
        other = sign_in(api(), city, email)
        assert other.post(city.url("console", path), json={"share": 0}, headers=JSON).status_code == 403, email
