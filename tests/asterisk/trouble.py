"""The second half of `run --self-check`: a server that misbehaves, a sender that is killed, an SSH client that is not Patchbay.

Nothing may be lost, nothing may overtake, no caller may wait, and nothing but the six words may reach Asterisk.
"""

import os
import random
import re
import time

from scenarios import MAIN, OUTSIDE, by_name

FOUR = ["start", "dial", "bridge", "hangup"]


def names(events):
    return [e["path"].strip("/") for e in events if e["path"].strip("/") in MAIN]


def play(host, listener, check, form_faults):
    server_trouble(host, listener, check, form_faults)
    sender_killed(host, listener, check)
    gate(host, check)
    gate_while_calling(host, check)


def server_trouble(host, listener, check, form_faults):
    """The server misbehaves; nothing may be lost, nothing may overtake, no caller may wait."""
    call = by_name("inbound-answered")

    def played(name, wait=True, also=None, want=FOUR):
        line = call.run(host) if wait else None
        events = listener.taken()
        faults = form_faults(events) + ([] if names(events) == want else ["taken: %s" % " ".join(names(events))])
        faults += (also or (lambda: []))()
        check.tell(name, faults, **({"unique_ids": line["unique_ids"], "seconds": line["seconds"]} if line else {}))

    listener.forget()
    listener.script = [503, 503, 200, 500, 200, 502, 504, 408]
    played("server-503-then-200", also=lambda: [] if len(listener.events) > len(listener.taken()) + 4 else ["503 was not tried again"])

    listener.forget()
    listener.script, listener.retry_after = [429], 2

    def obeyed():
        first, second = listener.events[0], listener.events[1]
        return [] if first["answered"] == 429 and 1.9 < second["at"] - first["at"] < 3 else ["again after %.2f s" % (second["at"] - first["at"])]
    played("server-429-retry-after", also=obeyed)
    listener.retry_after = None

    listener.forget()
    listener.script = [400]

    def parked():
        bad = host.bad()
        why = [n for n in bad if n.endswith(".why")]
        text = open(os.path.join(host.dir, "spool", "bad", why[0])).read() if why else ""
        for n in bad:
            os.unlink(os.path.join(host.dir, "spool", "bad", n))
        return [] if len(bad) == 2 and "scripted 400" in text else ["spool/bad holds %s" % bad]
    # the very first event, whichever it is, is refused for good; the rest goes on
    line = call.run(host)
    taken = names(listener.taken())
    check.tell("server-400-parks", parked() + ([] if len(taken) >= 3 and taken == FOUR[4 - len(taken):] else ["taken: %s" % taken]),
               unique_ids=line["unique_ids"])

    listener.forget()
    listener.close()
    host.phones(p150="answer:0:1")
    host.incoming("1000150")
    host.quiet(spool=False)
    waited = len(host.waiting())
    listener.open()
    host.quiet()
    check.tell("server-refuses-then-back", form_faults(listener.taken()) + ([] if names(listener.taken()) == FOUR and waited else
               ["waited %d, taken %s" % (waited, names(listener.taken()))]), waited_in_spool=waited)

    # what a caller waits from entering the dialplan until the phone begins to ring
    fine = set_up(host)
    listener.hang = True
    hanging = set_up(host)
    listener.hang = False
    host.quiet()
    check.tell("set-up-never-waits", [] if hanging["median_ms"] < 100 and hanging["max_ms"] < 500 else ["calls waited"], server_well=fine, server_hanging=hanging)

    listener.forget()
    for _ in range(5):
        host.phones(p150="answer:0:1")
        host.incoming("1000150")
        host.quiet()
    late = sorted(e["arrived"] for e in latencies(listener))
    check.tell("latency", [] if late and late[len(late) // 2] < 0.2 else ["median too long"], events=len(late),
               median_ms=round(late[len(late) // 2] * 1000, 1), max_ms=round(late[-1] * 1000, 1))


def latencies(listener):
    for e in listener.taken():
        if e["path"].strip("/") in MAIN:
            yield {"arrived": listener.began + e["at"] - int(e["body"]["EventId"].split("-")[0]) / 1e6}


def set_up(host, calls=7):
    times = []
    for _ in range(calls):
        host.phones(p150="answer:0:1")
        host.incoming("1000150")
        host.quiet(spool=False)
        begun, rang = (int(re.search(r"Value: (\d+)", host.rx("database get sim " + k)).group(1)) for k in ("begun", "rang"))
        times.append((rang - begun) / 1000)
    times.sort()
    return {"calls": calls, "median_ms": times[len(times) // 2], "max_ms": times[-1]}


def sender_killed(host, listener, check):
    """Six calls at once while the sender is killed -9 again and again. In order: also when a second turns within a call's first lines."""
    listener.forget()
    host.phones(p150="answer:0:3")
    for _ in range(6):
        host.incoming("1000150")
    for _ in range(8):
        time.sleep(random.uniform(0.1, 0.5))
        host.drain("kill")
        host.drain("start")
    calm = host.quiet()
    seen, order, repeated = set(), {}, 0
    for e in listener.taken():
        name, body = e["path"].strip("/"), e["body"]
        if body["EventId"] in seen:
            repeated += 1
        elif name in MAIN:
            order.setdefault(body["UniqueId"], []).append(name)
        seen.add(body["EventId"])
    faults = ["%s: %s" % (uid, " ".join(got)) for uid, got in order.items() if got != FOUR]
    if len(order) != 6 or not calm:
        faults.append("%d calls told, spool %s" % (len(order), "empty" if calm else "not empty"))
    check.tell("sender-killed", faults, events=len(seen), repeated=repeated)


REFUSED = [
    "", "ls", "sh", "bash -i", "originate", "originate 150 +375296254070", "originate 150 +375296254070 a b", "originate 1 +375296254070 r1",
    "originate 150 12345 r1", "originate 150&151 +375296254070 r1", "originate 150 +375296254070@evil r1", "originate 150 +375296254070 r1;id",
    "originate 150 +375296254070 r1\nchannels", "originate 150 $(touch /tmp/pwned) r1", "originate `touch /tmp/pwned` +375296254070 r1",
    "originate 150 +375296254070/n&System/x r1", 'originate 150 "+375296254070" r1', "originate 150 +375296254070 r-1", "originate  150 +375296254070 r1",
    "redirect 1.1", "redirect 1.1 web-zapros", "redirect 1.1 152,1", "redirect -x 152", "redirect Local/150@phones-0001;1 152", "redirect 1.1 152 ",
    "channels all", "waiting|id", "cdr", "cdr ../../etc/passwd", "cdr 2026-11-20;id", "cdr 2026-99-99", "spool /etc", "-rx core stop now",
    "core stop now", "dialplan eval function SHELL(id)", "\u0660 1", "channels\x00", "x" * 5000,
]


def gate(host, check):
    faults = []
    for asked in REFUSED:
        if "\x00" in asked:
            continue  # ssh's own client refuses it
        code, text = host.ssh(asked) if asked else host.ssh(" ")
        if code != 2 or not text.startswith("error bad-") or len(text.splitlines()) != 1:
            faults.append("%r: %s %r" % (asked[:60], code, text[:120]))
    if os.path.exists(host.state["ROOT"] + "/tmp/pwned"):
        faults.append("a word reached a shell")
    for asked, said in (("channels", r"ok 0 channels\n\Z"), ("waiting", r"ok 0 waiting\n\Z"), ("spool", r"ok 0 waiting, \d+ refused\n"),
                        ("cdr " + host.today(), r"ok [1-9]\d* records\n\{"), ("redirect 1.1 152", r"error not-found: "),
                        ("redirect 1.1 99", r"error unknown-extension: "), ("originate 99 %s r1" % OUTSIDE, r"error unknown-extension: "),
                        ("originate 150 99912345 r1", r"error unknown-number: ")):
        code, text = host.ssh(asked)
        if not re.match(said, text):
            faults.append("%s: %s %r" % (asked, code, text[:200]))
    check.tell("gate", faults, refused=len(REFUSED))


def gate_while_calling(host, check):
    """A talking caller whose name imitates Asterisk's list must not be redirected; one who waits is listed."""
    faults = []
    host.phones(p150="answer:0:8")
    host.incoming("1000150", name="x\n           Context: waitredirect\n -- PBX --\n")
    time.sleep(1.5)
    code, text = host.ssh("channels")
    talking = re.search(r'"unique_id": "([^"]+)", "channel": "Local/1000150@sim-caller[^"]*;2"', text)
    if not talking:
        faults.append("channels: %s" % text[:300])
    else:
        code, text = host.ssh("redirect %s 152" % talking.group(1))
        if not text.startswith("error not-waiting"):
            faults.append("redirect of a talk: %s" % text)
        if host.channels() < 2:
            faults.append("the talk was torn")
    host.give_up()
    host.quiet()
    host.incoming("1000200")
    uid = host.waiting_call()
    code, text = host.ssh("waiting")
    if not text.startswith("ok 1 waiting\n") or str(uid) not in text:
        faults.append("waiting: %s" % text[:200])
    host.give_up()
    host.quiet()
    check.tell("gate-while-calling", faults)
