"""A daemon that answers what a test says: HTTP/1.1 over a unix socket, as the real one."""
import json
import os
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler

TIME = '2026-11-22T14:08:00Z'


def commit(short):
    """A whole id from its first digits."""
    return (short + '0123456789abcdef' * 4)[:40]


def plan(short):
    return (short + 'fedcba9876543210' * 4)[:64]


def doc(kind, **fields):
    return {'apiVersion': 'leeboard.dev/v1', 'kind': kind, 'instance': 'prod-eu', 'time': TIME, **fields}


def error(code, message, **fields):
    return doc('Error', errors=[{'code': code, 'message': message, **fields}])


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def address_string(self):
        return 'unix'

    def log_message(self, *args):
        pass

    def take(self):
        n = int(self.headers.get('Content-Length') or 0)
        body = self.rfile.read(n).decode()
        self.server.daemon.asked.append((self.command, self.path, json.loads(body) if body else None))
        if self.path == '/api/v1/stream':
            return self.stream()
        answer = self.server.daemon.answer(self.command, self.path)
        if callable(answer):
            answer = answer(self.server.daemon)
        status, exit_status, document = answer
        text = (document if isinstance(document, str) else json.dumps(document)).encode() + b'\n'
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(text)))
        self.send_header('Leeboard-Exit', str(exit_status))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = take

    def stream(self):
        d = self.server.daemon
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        self.send_header('Connection', 'close')
        self.end_headers()
        self.wfile.write(b':\nretry: 2000\n\n')
        self.wfile.flush()
        self.close_connection = True
        d.last_event_ids.append(self.headers.get('Last-Event-ID'))
        sent = 0
        while True:
            with d.changed:
                d.changed.wait_for(lambda: len(d.events) > sent or d.over, 30)
                new, over = d.events[sent:], d.over
            for number, name, data in new:
                text = ('id: %d\n' % number if number else '') + 'event: %s\ndata: %s\n\n' % (name, json.dumps(data))
                try:
                    self.wfile.write(text.encode())
                    self.wfile.flush()
                except OSError:
                    return
            sent += len(new)
            with d.changed:
                d.sent = max(d.sent, sent)
                d.changed.notify_all()
            if over and not new:
                return


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that go away are what some tests are about."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Daemon:
    """answers: {'GET /api/v1/status': document | (status, exit, document) | function of this}"""

    def __init__(self, path):
        self.path = str(path)
        self.answers = {}
        self.asked = []
        self.events = []
        self.last_event_ids = []
        self.sent = 0
        self.over = False
        self.changed = threading.Condition()
        self.server = Server(self.path, Handler)
        self.server.daemon = self
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True)
        self.thread.start()

    def answer(self, method, path):
        a = self.answers.get('%s %s' % (method, path))
        if a is None:
            return 404, 2, error('not-found', 'the test answers no %s %s' % (method, path))
        if isinstance(a, (dict, str)):
            return 200, 0, a
        return a

    def say(self, number, name, data):
        with self.changed:
            self.events.append((number, name, data))
            self.changed.notify_all()

    def say_and_wait(self, *events):
        """On the wire before this returns."""
        for e in events:
            self.say(*e)
        with self.changed:
            n = len(self.events)
            self.changed.wait_for(lambda: self.sent >= n, 10)

    def stop(self):
        with self.changed:
            self.over = True
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()
        if os.path.exists(self.path):
            os.unlink(self.path)
