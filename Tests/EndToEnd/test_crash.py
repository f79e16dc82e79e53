"""Server, worker, simulator and PostgreSQL are killed in a loop: what was acknowledged is there once, nothing twice.

Seed and length come from outside, to see a failure again or to run for an hour by hand:

    METROPOLIS_SOAK_SECONDS=600 bin/test --e2e crash            ten minutes
    METROPOLIS_SOAK_SEED=7 METROPOLIS_SOAK_SECONDS=3600 bin/test --e2e crash

METROPOLIS_BINARY names another program than the one built here.
"""

from __future__ import annotations

import os
import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from city import api_client, eventually
from clients import RECONCILED, Asker, Caller, Learner, Notebook, Payer, Worker
from soak import Killer, World

SECONDS = float(os.environ.get("METROPOLIS_SOAK_SECONDS", "65"))
# By hand there is time for what the timetable does by itself; otherwise the payer looks at what is open.
IS_LONG = "METROPOLIS_SOAK_SECONDS" in os.environ
LEAST_KILLS = 8
LIMIT = 100


@pytest.fixture
def world() -> Iterator[World]:
    """A city and a simulator of this test alone."""
    world = World()
    try:
        try:
            world.start()
        except AssertionError as failure:
            failure.add_note(f"logs are in {world.logs}, the data stays in {world.home}\n{world.server.tail()}")
            raise
        yield world
    finally:
        world.end()


def test_what_was_acknowledged_is_there_once(world: World) -> None:
    seed = int(os.environ.get("METROPOLIS_SOAK_SEED", random.SystemRandom().randrange(10_000)))
    print(f"seed {seed}, {SECONDS:g} s")
    begin = time.monotonic()
    try:
        notebook = traffic(world, seed)
        settled(world, notebook)
        print(f"settled after {time.monotonic() - begin:.0f} s")
        faults = [
            *questions(world, notebook),
            *acceptances(world, notebook),
            *items(world, notebook),
            *money(world, notebook),
            *subscriptions(world, notebook),
            *records(world, notebook),
        ]
        verified = world.command("audit", "verify")
        if verified.returncode != 0 or "ledger: balanced" not in verified.stdout:
            faults.append(f"audit verify: {verified.returncode} {verified.stdout} {verified.stderr[-2_000:]}")
        for server in world.servers:
            if (status := server.stop()) not in (0, -15 if server is world.simulator else 0):
                faults.append(f"the {server.name} did not stop in order: status {status}")
        assert not faults, f"{len(faults)} faults:\n  " + "\n  ".join(faults[:60])
    except Exception as failure:
        failure.add_note(f"again: METROPOLIS_SOAK_SEED={seed}; logs are in {world.logs}, the data stays in {world.home}")
        raise
    world.forget()
    print(f"{time.monotonic() - begin:.0f} s in all")


def traffic(world: World, seed: int) -> Notebook:
    """Kills while clients work; returns when every one of them has ended what it had begun."""
    notebook, stop = Notebook(), threading.Event()
    kinds = [Asker, Asker, Learner, Learner, Payer, Payer, Payer]
    workers: list[Worker] = [kind(world, notebook, seed, number, stop) for number, kind in enumerate(kinds)]
    killer = Killer(world, notebook.moments, seed, SECONDS, LEAST_KILLS)
    for thread in (*workers, killer):
        thread.start()
    # Nobody has to go on when one has failed.
    while killer.is_alive() and not any(worker.failure for worker in workers):
        killer.join(0.2)
    killer.stop()
    killer.join(150)
    stop.set()
    failures = [(thread.name, thread.failure) for thread in (*workers, killer) if thread.failure]
    if not failures:
        world.wait()
    deadline = time.monotonic() + RECONCILED + 60
    while not failures and any(worker.is_alive() for worker in workers) and time.monotonic() < deadline:
        if not IS_LONG:
            look(world, notebook)
        time.sleep(1)
        failures = [(worker.name, worker.failure) for worker in workers if worker.failure]
    # The last of them may have failed since.
    failures = [(thread.name, thread.failure) for thread in (*workers, killer) if thread.failure]
    print(
        f"struck {dict(killer.counts)}, killed {killer.kills}\n"
        f"acknowledged {len(notebook.questions)} questions, {len(notebook.accepted)} accepted answers, "
        f"{len(notebook.items)} items, "
        f"{len(notebook.bought)} purchases by {len(notebook.customers)} customers, "
        f"{len(notebook.orphans)} paid for nothing; {len(notebook.exhausted)} allowances used up\n"
        f"cut off and sent again {dict(notebook.cut)}\n"
        f"the longest wait {notebook.longest:.1f} s; other answers: {dict(notebook.troubles)}")
    assert not failures, "\n".join(
        f"{name}: " + "".join(traceback.format_exception(failure)[-3:]) for name, failure in failures)
    hanging = [worker.name for worker in workers if worker.is_alive()]
    assert not hanging, f"still not done: {hanging}"
    # Once more, with all of it: what was acknowledged a moment ago counts too, and nothing is answered from memory.
    killer.strike("machine")
    world.wait()
    assert killer.is_enough
    # Without these the rest would prove nothing.
    assert len(notebook.questions) >= 20 and len(notebook.items) >= 20 and len(notebook.bought) >= 10
    assert len(notebook.accepted) >= 5
    # The city never says that it has failed, it says when it can't.
    assert not [trouble for trouble in notebook.troubles if trouble.endswith(": 500")], notebook.troubles
    return notebook


def look(world: World, notebook: Notebook) -> None:
    """What a payer does who doesn't wait for the timetable: she looks at her payment. Only its owner may, so all try."""
    for payment in world.rows("SELECT id FROM billing.payment WHERE state IN ('created', 'pending')"):
        for customer in notebook.customers:
            customer.call("GET", world.city.url("", f"/payments/{payment['id']}/return"))


def settled(world: World, notebook: Notebook) -> None:
    """Until nothing is on its way any more: payments, refunds, webhooks, events."""
    with api_client() as client:
        def has_money_back(payment: str) -> bool:
            attempts = world.simulated(client, f"/v1/payments?reference={payment}")["payments"]
            return all(attempt["refunded"] == attempt["amount"] for attempt in attempts if attempt["status"] != "failed")

        def is_settled() -> bool:
            tenants = ("t_jeju", "t_univprep", "billing")
            waiting = " UNION ALL ".join(f"SELECT id FROM {schema}.outbox" for schema in tenants)
            open_money = world.rows(
                "SELECT id FROM billing.payment WHERE state IN ('created', 'pending') "
                "UNION ALL SELECT id FROM billing.refund WHERE state = 'created'")
            undelivered = world.simulated(client, "/simulator/state")["undelivered"]
            if open_money or undelivered or world.rows(waiting):
                return False
            return all(has_money_back(payment) for _, payment in notebook.orphans)

        eventually("payments, refunds, webhooks and events are through", is_settled, RECONCILED)


def differences(what: str, expected: Iterable[Any], found: Iterable[Any]) -> list[str]:
    """What is missing, what is there more than once, and what nobody asked for."""
    wanted, there = Counter(expected), Counter(found)
    return [f"{what} {one} is missing" for one in wanted - there] + [
        f"{what} {one} is there {there[one]} times, acknowledged {wanted[one]} times" for one in there - wanted]


def by_caller(pairs: Iterable[tuple[Caller, str]]) -> dict[Caller, list[str]]:
    sorted_out: dict[Caller, list[str]] = {}
    for caller, value in pairs:
        sorted_out.setdefault(caller, []).append(value)
    return sorted_out


def pages(caller: Caller, host: str, path: str, name: str, cursor: str, **query: str) -> list[dict[str, Any]]:
    """A whole list, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        page = caller.json("GET", host, path, params=query)
        found += page[name]
        if not page.get("next"):
            return found
        query[cursor] = page["next"]


def questions(world: World, notebook: Notebook) -> list[str]:
    """By their ids in each asker's own list, and by their titles in the table: one of each."""
    faults = []
    for asker, ids in by_caller(notebook.questions).items():
        own = pages(asker, "jeju", "/me/questions", "questions", "after")
        faults += differences("question", ids, (question["id"] for question in own))
    doubled = world.rows(
        "SELECT title, count(*) FROM t_jeju.question WHERE title LIKE 'Asker-%' GROUP BY 1 HAVING count(*) > 1")
    return faults + [f"question “{row['title']}” is there {row['count']} times" for row in doubled]


def acceptances(world: World, notebook: Notebook) -> list[str]:
    """Each accepted answer has its points in the ledger, once, and each answerer what she earned."""
    faults = []
    # The samples have accepted answers too; the askers' questions are known by their titles.
    asked = {row["id"] for row in world.rows(
        "SELECT a.id FROM t_jeju.answer AS a JOIN t_jeju.question AS q ON q.id = a.question WHERE q.title LIKE 'Asker-%'")}
    # Matched here: after an hour there are tens of thousands of each.
    awards: dict[str, list[str]] = {}
    for row in world.rows("SELECT key FROM billing.ledger_entry WHERE key LIKE 'answer.accepted:%'"):
        answer = row["key"].split(":")[1].lower()
        if answer in asked:
            awards.setdefault(answer, []).append(row["key"])
    if len(awards) != len(notebook.accepted):
        faults.append(f"{len(awards)} awards are booked, {len(notebook.accepted)} answers were accepted")
    earned: Counter[Caller] = Counter()
    for _, answerer, answer, points in notebook.accepted:
        earned[answerer] += points
        booked = awards.get(answer.lower(), [])
        if len(booked) != 1:
            faults.append(f"the accepted answer {answer} has the awards {booked}")
    for answerer, points in earned.items():
        balance = answerer.json("GET", "", "/points")["balance"]
        if balance != points:
            faults.append(f"{answerer} has {balance} points, {points} were acknowledged")
    return faults


def items(world: World, notebook: Notebook) -> list[str]:
    """Each acknowledged start is one attempt and one unit of the allowance, and there are no others."""
    learners = by_caller(notebook.items)
    faults = differences(
        "attempt", (item for ids in learners.values() for item in ids),
        (row["id"] for row in world.rows("SELECT id FROM t_univprep.attempt")))
    faults += differences(
        "unit", (item for ids in learners.values() for item in ids),
        (row["key"] for row in world.rows("SELECT key FROM billing.usage_take WHERE released_at IS NULL")))
    counted = world.rows("SELECT coalesce(sum(used), 0) AS used FROM billing.usage_counter")[0]["used"]
    if counted != len(notebook.items):
        faults.append(f"{counted} units are counted, {len(notebook.items)} items were acknowledged")
    for learner, ids in learners.items():
        used = learner.json("GET", "univprep", "/")["allowance"]["used"]
        if used != len(ids):
            faults.append(f"{learner} has used {used} by her account, {len(ids)} were acknowledged")
        if learner in notebook.exhausted and len(ids) != LIMIT:
            faults.append(f"{learner} was told that nothing is left after {len(ids)} items")
    return faults


def money(world: World, notebook: Notebook) -> list[str]:
    """The city's payments, the simulator's and the ledger's are the same."""
    faults = []
    payments = {
        row["id"]: row for row in world.rows(
            "SELECT p.id, p.state, p.amount, p.currency, p.invoice, i.status, i.number, i.total - i.credit AS payable, "
            "(SELECT count(*) FROM billing.ledger_entry AS e WHERE e.key = 'payment:' || p.id) AS booked, "
            "(SELECT coalesce(sum(r.amount), 0) FROM billing.refund AS r "
            "WHERE r.payment = p.id AND r.state = 'succeeded') AS given "
            "FROM billing.payment AS p JOIN billing.invoice AS i ON i.id = p.invoice")
    }
    cash: Counter[str] = Counter()
    with api_client() as client:
        for reference in world.simulated(client, "/simulator/state")["payments"]:
            if reference not in payments:
                faults.append(f"the simulator has money for {reference}, which the city doesn't know")
        for id, payment in payments.items():
            attempts = world.simulated(client, f"/v1/payments?reference={id}")["payments"]
            paid = [attempt for attempt in attempts if attempt["status"] == "succeeded"]
            if len(attempts) > 1:
                faults.append(f"payment {id} is at the simulator {len(attempts)} times: {attempts}")
            for attempt in paid:
                cash[attempt["currency"]] += attempt["amount"] - attempt["refunded"]
            taken, returned = sum(a["amount"] for a in paid), sum(a["refunded"] for a in paid)
            is_kept = payment["state"] == "succeeded" and returned == 0
            if (payment["state"] == "succeeded") != (len(paid) == 1) and returned != taken:
                faults.append(f"payment {payment} is {len(paid)} times paid at the simulator")
            if paid and (taken, returned, payment["booked"]) != (payment["amount"], payment["given"], 1):
                faults.append(f"payment {payment} is otherwise at the simulator: {paid}")
            if not paid and payment["booked"]:
                faults.append(f"payment {payment} is booked without money")
            invoice = (payment["status"], bool(payment["number"]), payment["payable"])
            if is_kept and invoice != ("paid", True, payment["amount"]):
                faults.append(f"payment {payment} has not paid its invoice")
    for _, payment_id in notebook.payments:
        payment = payments.get(payment_id, {})
        if payment.get("state") != "succeeded":
            faults.append(f"payment {payment_id} was acknowledged: {payment or 'the city does not know it'}")
    for _, payment_id in notebook.orphans:
        orphan = payments.get(payment_id, {})
        if orphan.get("state") != "abandoned" or orphan["given"] != orphan["amount"]:
            faults.append(f"payment {payment_id} was paid for nothing and is not given back: {orphan}")
    doubled = world.rows(
        "SELECT invoice, count(*) FROM billing.payment WHERE state = 'succeeded' GROUP BY 1 HAVING count(*) > 1")
    faults += [f"invoice {row['invoice']} is paid {row['count']} times" for row in doubled]
    booked = {
        row["currency"]: row["amount"] for row in world.rows(
            "SELECT a.currency, sum(p.amount) AS amount FROM billing.ledger_posting AS p "
            "JOIN billing.ledger_account AS a ON a.id = p.account WHERE a.code LIKE 'cash:%' GROUP BY 1")
    }
    if booked != dict(cash):
        faults.append(f"the ledger has {booked} in cash, the simulator {dict(cash)}")
    faults += [f"the ledger's accounts of {row} don't come to nothing" for row in world.rows(
        "SELECT a.code, sum(p.amount) AS amount FROM billing.ledger_posting AS p JOIN billing.ledger_account AS a "
        "ON a.id = p.account WHERE a.code LIKE 'receivable:%' GROUP BY 1 HAVING sum(p.amount) <> 0")]
    given = world.rows("SELECT count(*) AS count FROM billing.refund")[0]["count"]
    print(f"{len(payments)} payments, {dict(cash)} in cash, {given} refunds")
    return faults


def subscriptions(world: World, notebook: Notebook) -> list[str]:
    """Each purchase that was acknowledged has its one paid invoice, and the last of them is what she holds."""
    faults = []
    bought: dict[Caller, list[tuple[str, str]]] = {}
    for customer, plan, every in notebook.bought:
        bought.setdefault(customer, []).append((plan, every))
    for customer, terms in bought.items():
        held = customer.json("GET", "", "/subscription")["subscription"]
        if (held["terms"]["plan"], held["terms"]["every"], held["state"]) != (*terms[-1], "active"):
            faults.append(f"{customer} bought {terms[-1]} at last and has {held}")
        invoices = pages(customer, "", "/invoices", "invoices", "before")
        paid = [invoice["number"] for invoice in invoices if invoice["status"] == "paid"]
        if len(paid) != len(terms):
            faults.append(f"{customer} bought {len(terms)} times and has {len(paid)} paid invoices: {paid}")
    faults += [f"subscription {row['id']} is {row['status']} without a paid invoice" for row in world.rows(
        "SELECT s.id, s.status FROM billing.subscription AS s WHERE s.status IN ('active', 'past_due') AND NOT EXISTS "
        "(SELECT FROM billing.invoice AS i WHERE i.subscription = s.id AND i.status = 'paid')")]
    faults += [f"invoice {row['id']} is paid without a payment" for row in world.rows(
        "SELECT i.id FROM billing.invoice AS i WHERE i.status = 'paid' AND i.total > i.credit AND NOT EXISTS "
        "(SELECT FROM billing.payment AS p WHERE p.invoice = i.id AND p.state = 'succeeded')")]
    faults += [f"invoices have the numbers {row}, with a gap" for row in world.rows(
        "SELECT entity, count(*), max(n.last) FROM billing.invoice JOIN billing.invoice_number AS n USING (entity) "
        "WHERE number IS NOT NULL GROUP BY 1 HAVING count(*) <> max(n.last)")]
    return faults


def records(world: World, notebook: Notebook) -> list[str]:
    """Every act stands on its person's timeline, once."""
    faults = []
    acts: dict[Caller, list[str]] = {}
    for caller, ids in by_caller(notebook.questions).items():
        acts[caller] = [world.city.url("jeju", f"/questions/{id}") for id in ids]
    for caller, ids in by_caller(notebook.items).items():
        acts[caller] = [world.city.url("univprep", f"/practice/{id}") for id in ids]
    for asker, answerer, answer, _ in notebook.accepted:
        # The one has accepted it, the other has given it.
        for caller in (asker, answerer):
            acts.setdefault(caller, []).append(world.city.url("jeju", f"/answers/{answer}"))
    for caller, expected in acts.items():
        entries = pages(caller, "", "/account/timeline", "entries", "before", limit="100")
        found = [entry["object"]["id"] for entry in entries if entry["tenant"] in ("jeju", "univprep")]
        faults += differences(f"{caller}'s record of", expected, found)
    return faults
