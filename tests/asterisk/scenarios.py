#!/usr/bin/env python3
"""What the test host plays, and which events each must give. Used by `run` and by `scripts/asterisk-host call`.

A scenario sets what each phone does, makes the call with Local channels, and waits until no channel and no unsent event is left.
`expect` lists the four dialplan events in order: (path, {field: value}); bridge-level events may stand between them.
"""

import base64
import json
import os
import re
import shlex
import subprocess
import sys
import time

CLIENT, OUTSIDE = "375291234567", "+375296254070"


class Host:
    """A host that scripts/asterisk-host has started in DIR."""

    def __init__(self, folder):
        self.dir = folder
        self.state = {}
        with open(os.path.join(folder, "state")) as f:
            for line in f:
                key, _, value = line.strip().partition("=")
                self.state[key] = "".join(shlex.split(value))
        self.log = os.path.join(folder, "log", "events.log")

    def rx(self, command):
        inst = self.state["INST"]
        done = subprocess.run(["chroot", self.state["ROOT"], "/usr/sbin/asterisk", "-C", inst + "/etc/asterisk.conf", "-rx", command],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        return done.stdout.decode("utf-8", "replace")

    def drain(self, word):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "asterisk-host")
        subprocess.run([script, "drain", self.dir, word], check=True)

    def today(self):
        """By the host's clock, which need not be in our zone."""
        return subprocess.run(["chroot", self.state["ROOT"], "date", "+%F"], stdout=subprocess.PIPE, check=True).stdout.decode().strip()

    def put(self, family, key, value):
        self.rx('database put %s %s "%s"' % (family, key, value))

    def channels(self):
        found = re.search(r"(\d+) active channel", self.rx("core show channels count"))
        return int(found.group(1)) if found else -1

    def waiting(self):
        return sorted(os.listdir(os.path.join(self.dir, "spool", "new")))

    def bad(self):
        return sorted(os.listdir(os.path.join(self.dir, "spool", "bad")))

    def quiet(self, limit=90, spool=True):
        """Waits until the calls have ended and, with spool, everything is sent."""
        until = time.time() + limit
        time.sleep(0.3)
        while time.time() < until:
            if self.channels() == 0 and not (spool and self.waiting()):
                return True
            time.sleep(0.1)
        return False

    def sent_from(self, offset):
        """The drain's log since offset: [(event, unique id, status)]."""
        found = []
        if os.path.exists(self.log):
            with open(self.log, encoding="utf-8") as f:
                f.seek(offset)
                for line in f:
                    m = re.search(r" INFO (\w+) \d+-\d+-(.*)-(\w+)\.json status=(\S+)", line)
                    if m:
                        found.append((m.group(1), m.group(2), m.group(4)))
        return found

    def log_end(self):
        return os.path.getsize(self.log) if os.path.exists(self.log) else 0

    # -- what people do ---------------------------------------------------------------------------------------------

    def phones(self, **does):
        self.rx("database deltree phone")
        for number, what in does.items():
            self.put("phone", number.lstrip("p"), what)

    def incoming(self, did, number=CLIENT, name="", stays=60):
        for key, value in (("number", number), ("name", name)):
            self.rx("database del sim " + key)
            if value:
                self.put("sim", key, base64.b64encode(value.encode()).decode())
        self.rx("channel originate Local/%s@sim-caller/n application Wait %d" % (did, stays))

    def phone_dials(self, extension, number):
        self.rx("channel originate Local/%s*%s@sim-phone/n application Wait 60" % (extension, number))

    def give_up(self):
        """The far end of the caller's line goes; the phones are left to the dialplan."""
        for line in self.rx("core show channels concise").splitlines():
            name = line.split("!")[0]
            if "@sim-" in name and name.endswith(";1"):
                self.rx("channel request hangup " + name)

    def waiting_call(self):
        """The unique id of the call that stands in waitredirect."""
        until = time.time() + 5
        while time.time() < until:
            for line in self.rx("core show channels concise").splitlines():
                field = line.split("!")
                if len(field) > 13 and field[1] == "waitredirect":
                    return field[13]
            time.sleep(0.1)
        return None

    def ssh(self, command, key="ssh_key"):
        done = subprocess.run(["ssh", "-q", "-i", os.path.join(self.dir, key), "-p", self.state["SSH_PORT"], "-o", "BatchMode=yes",
                               "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "patchbay@127.0.0.1", "--", command],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        return done.returncode, done.stdout.decode("utf-8", "replace")


class Scenario:
    def __init__(self, name, phones, play, expect):
        self.name, self.phones, self.play, self.expect = name, phones, play, expect

    def run(self, host):
        """Plays it; returns what `run` prints."""
        offset, began = host.log_end(), time.time()
        host.phones(**{"p" + number: does for number, does in self.phones.items()})
        notes = self.play(host) or {}
        calm = host.quiet()
        sent = host.sent_from(offset)
        ids = []
        for event, uid, _ in sent:
            if event == "start" and uid not in ids:
                ids.append(uid)
        line = {"scenario": self.name, "unique_ids": ids, "sent": ["%s %s" % (e, s) for e, _, s in sent if e in MAIN],
                "seconds": round(time.time() - began, 1)}
        if not calm:
            line["error"] = "channels or unsent events were left"
        line.update(notes)
        return line


MAIN = ("start", "dial", "bridge", "hangup")


def inbound(rung, talked=None, cause=None, status=None, number=CLIENT, **hangup):
    """The usual four (or three) events of a call from outside."""
    base = {"CallType": 0, "Phone": number, "CallerIDNum": number, "Trunk": "0001367", "ExternalInitiated": True}
    events = [("start", base), ("dial", dict(base, Extensions=rung))]
    if talked:
        events.append(("bridge", dict(base, Extensions=[talked], CallStatus="2")))
    end = dict(base, CallStatus="2" if talked else "0", Extensions=[talked] if talked else [])
    if cause is not None:
        end["HangupCause"] = cause
    if status is not None:
        end["DialStatus"] = status
    end.update(hangup)
    return events + [("hangup", end)]


def outgoing(talked, cause=None, status=None, **more):
    base = dict({"CallType": 1, "Phone": OUTSIDE, "CallerIDNum": "150", "ConnectedLineNum": OUTSIDE, "Trunk": "0001367",
                 "ExternalInitiated": False}, **more)
    events = [("start", base), ("dial", dict(base, Extensions=["150"]))]
    if talked:
        events.append(("bridge", dict(base, Extensions=["150"], CallStatus="2")))
    end = dict(base, CallStatus="2" if talked else "0", Extensions=["150"] if talked else [])
    if cause is not None:
        end["HangupCause"] = cause
    if status is not None:
        end["DialStatus"] = status
    return events + [("hangup", end)]


def internal(talked):
    base = {"CallType": 2, "Phone": "151", "CallerIDNum": "150", "ConnectedLineNum": "151", "Trunk": "", "ExternalInitiated": False}
    events = [("start", base), ("dial", dict(base, Extensions=["151"]))]
    if talked:
        events.append(("bridge", dict(base, Extensions=["151"])))
    return events + [("hangup", dict(base, CallStatus="2" if talked else "0"))]


def cancel(did):
    def play(host):
        host.incoming(did)
        time.sleep(2)
        host.give_up()
    return play


def away(host):
    host.drain("kill")  # as hard as it gets: kill -9, then two calls, then the sender comes back
    host.incoming("1000150")
    host.quiet(spool=False)
    host.incoming("1000150", number="375297654321")
    host.quiet(spool=False)
    waiting = len(host.waiting())
    host.drain("start")
    return {"waited_in_spool": waiting}


def redirect_152(host):
    host.incoming("1000200")
    uid = host.waiting_call()
    time.sleep(0.5)
    code, text = host.ssh("redirect %s 152" % uid)
    host.quiet()
    late_code, late = host.ssh("redirect %s 150" % uid)
    return {"gate": [code, text.strip()], "late": [late_code, late.strip()]}


def click(host):
    code, text = host.ssh("originate 150 %s req8f3a2c" % OUTSIDE)
    return {"gate": [code, text.strip()]}


TRAP = "touch /tmp/pwned"
HOSTILE = [
    ("$(%s)" % TRAP, "$(%s)" % TRAP), ("`%s`" % TRAP, "`%s`" % TRAP), ("'$(%s)'" % TRAP, "'; %s; '" % TRAP),
    ('"', '"'), ("\\", "\\\\"), ("'&%s&'" % TRAP, '";%s;"' % TRAP), ("1;%s" % TRAP, "a|%s" % TRAP),
    ("1\nEvent: Hangup\nUniqueid: 1.1\n\n", "x\r\nEvent: Hangup\r\n\r\n"), ("1,2,3", "a,b,c)("), ('1","CallStatus":"2","x":"', '","UniqueId":"1.1'),
    ("${SHELL(%s)}" % TRAP, "${SHELL(%s)}" % TRAP), ("$[1/0]", "$[${SHELL(%s)}]" % TRAP), ("1):0(;", "):1(:"), ("1):0(", "}${X"), ("375291234567#", "#"), ("../../../tmp/pwned", "|%s" % TRAP),
    ("9" * 79, "x" * 200), ("Иван", "Ян «Ко» <b>"), ("\x00\x01\x7f".replace("\x00", ""), "\x1b[2J"),
]


def hostile(host):
    for name in ("/tmp/pwned", host.state["ROOT"] + "/tmp/pwned"):
        if os.path.exists(name):
            os.unlink(name)
    for number, name in HOSTILE + [("+375 (29) 111-11-11", "<img src=x onerror=alert(1)>")]:
        host.incoming("1000150", number=number, name=name)
        host.quiet()
    pwned = [n for n in ("/tmp/pwned", host.state["ROOT"] + "/tmp/pwned") if os.path.exists(n)]
    return {"pwned": pwned}


def call_in(did, **more):
    return lambda host: host.incoming(did, **more)


def dials(extension, number):
    return lambda host: host.phone_dials(extension, number)


SCENARIOS = [
    Scenario("inbound-answered", {"150": "answer:1:2"}, call_in("1000150"), inbound(["150"], "150", "16", "ANSWER", LastConnected="150", RecordFile=re.compile(r"^\d+\.\d+\.wav$"))),
    Scenario("inbound-caller-hangs-up", {"150": "answer:1:30"}, call_in("1000150", stays=2), inbound(["150"], "150", "16", "ANSWER")),
    Scenario("inbound-missed", {}, call_in("1000150"), inbound(["150"], None, None, "NOANSWER")),
    Scenario("inbound-busy", {"150": "busy"}, call_in("1000150"), inbound(["150"], None, "17", "BUSY")),
    Scenario("inbound-caller-cancels", {}, cancel("1000100"), inbound(["150", "151", "152"], None, None, "CANCEL")),
    Scenario("inbound-group-answered", {"151": "answer:1:2"}, call_in("1000100"), inbound(["150", "151", "152"], "151", "16", "ANSWER")),
    Scenario("inbound-queue-answered", {"151": "answer:1:2"}, call_in("1000300"), inbound(["150", "151"], "151")),
    Scenario("inbound-queue-abandoned", {}, cancel("1000300"), inbound(["150", "151"])),
    Scenario("inbound-withheld", {"150": "answer:0:1"}, call_in("1000150", number="anonymous"), inbound(["150"], "150", number="")),
    Scenario("outgoing-answered", {OUTSIDE: "answer:1:2"}, dials("150", OUTSIDE), outgoing(True, "16", "ANSWER")),
    Scenario("outgoing-busy", {OUTSIDE: "busy"}, dials("150", OUTSIDE), outgoing(False, "17", "BUSY")),
    Scenario("outgoing-not-answered", {}, dials("150", OUTSIDE), outgoing(False, None, "NOANSWER")),
    Scenario("outgoing-failed", {OUTSIDE: "fail"}, dials("150", OUTSIDE), outgoing(False, None, None)),
    Scenario("internal-answered", {"151": "answer:1:2"}, dials("150", "151"), internal(True)),
    Scenario("internal-missed", {}, dials("150", "151"), internal(False)),
    Scenario("blind-transfer", {"150": "digits:1:1:#1151:3", "151": "answer:1:2"}, call_in("1000150"),
             inbound(["150"], "150")[:3] + inbound(["151"], "151")[1:]),
    Scenario("attended-transfer", {"150": "digits:1:1:*2151:4", "151": "answer:1:6"}, call_in("1000150"), None),
    Scenario("smart-redirect", {"152": "answer:1:2"}, redirect_152, inbound(["152"], "152")),
    Scenario("smart-redirect-manager-misses", {"151": "answer:1:1"}, redirect_152, inbound(["152"])[:2] + inbound(["150", "151"], "151")[1:]),
    Scenario("smart-redirect-fallback", {"151": "answer:1:1"}, call_in("1000200"), inbound(["150", "151"], "151")),
    Scenario("click-to-call", {"150": "answer:1:20", OUTSIDE: "answer:1:2"}, click, outgoing(True, RequestId="req8f3a2c")),
    Scenario("click-to-call-agent-missed", {}, click, []),
    Scenario("hostile-caller-id", {"150": "answer:0:1"}, hostile,
             sum((inbound(["150"], "150", number="") for _ in HOSTILE), []) + inbound(["150"], "150", number="+375291111111")),
    Scenario("server-away", {"150": "answer:0:1"}, away, inbound(["150"], "150") + inbound(["150"], "150", number="375297654321")),
]


def by_name(name):
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    sys.exit("no scenario %s; there are: %s" % (name, " ".join(s.name for s in SCENARIOS)))


if __name__ == "__main__":
    print(json.dumps(by_name(sys.argv[1]).run(Host(os.environ["PATCHBAY_HOST_DIR"])), ensure_ascii=False))
