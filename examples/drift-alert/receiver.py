#!/usr/bin/env python3
"""A receiver of leeboard's events: checks the signature, prints a line for each, and answers 204.

usage: receiver.py KEYFILE [PORT]
"""
import hashlib
import hmac
import http.server
import json
import sys

KEY = open(sys.argv[1], 'rb').read().rstrip(b'\n')
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 9911
SEEN = set()  # an event may come twice: its id is the same


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        wanted = 'sha256=' + hmac.new(KEY, body, hashlib.sha256).hexdigest()
        good = hmac.compare_digest(wanted, self.headers.get('X-Signature', ''))
        self.send_response(204 if good else 403)
        self.send_header('Content-Length', '0')
        self.end_headers()
        event = json.loads(body) if good else None
        if event and event['id'] not in SEEN:
            SEEN.add(event['id'])
            print(event['type'].removeprefix('dev.leeboard.'), event['incident'], event['data']['message'], flush=True)

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(('127.0.0.1', PORT), Handler).serve_forever()
