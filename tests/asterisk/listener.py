#!/usr/bin/env python3
"""A server that only records: stands in for Patchbay while the kit is tested by itself.

As a program: listener.py [PORT] prints its URL, then every request as one JSON line (the form of a capture).
As a module: Listener() with .events, .script (statuses to give first, then 200), .hang (accept and never answer), .close()/.open().
"""

import http.server
import json
import sys
import threading
import time


class Listener:
    def __init__(self, port=0):
        self.events, self.script, self.hang, self.requests = [], [], False, 0
        self.retry_after = None
        self.began, self.lock = time.time(), threading.Lock()
        self.port, self.server = port, None
        self.on_event = None
        self.open()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def open(self):
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                listener.take(self, body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        """Refuses connections until open(); those already made are answered no more."""
        server, self.server = self.server, None
        server.shutdown()
        server.server_close()

    def take(self, request, body):
        with self.lock:
            self.requests += 1
            away = self.server is None
            status = self.script.pop(0) if self.script else 200
        if self.hang or away:
            while (self.hang or self.server is None) and not request.wfile.closed:
                time.sleep(0.05)
                if not self.hang:
                    break
            request.close_connection = True
            return
        try:
            parsed = json.loads(body.decode())
        except ValueError:
            parsed = None
        event = {"at": round(time.time() - self.began, 3), "path": request.path, "headers": dict(request.headers.items()),
                 "body": parsed, "answered": status}
        if parsed is None:
            event["broken"] = body.decode("utf-8", "replace")
        with self.lock:
            self.events.append(event)
        if self.on_event:
            self.on_event(event)
        answer = b'{"ok":true}' if status == 200 else json.dumps({"error": "scripted %d" % status}).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(answer)))
        if status in (429, 503) and self.retry_after is not None:
            request.send_header("Retry-After", str(self.retry_after))
        request.end_headers()
        request.wfile.write(answer)

    def taken(self):
        """What was answered 2xx, in the order it came."""
        with self.lock:
            return [e for e in self.events if 200 <= e["answered"] < 300]

    def forget(self):
        with self.lock:
            self.events, self.began = [], time.time()


if __name__ == "__main__":
    here = Listener(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    here.on_event = lambda event: print(json.dumps(event, ensure_ascii=False), flush=True)
    print(here.url, flush=True)
    threading.Event().wait()
