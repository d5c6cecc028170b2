"""A controller in Python: starts one of the worker programs as the daemon does and reads its frames."""
import json
import os
import socket
import struct
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAMES = {16: 'PROGRESS', 17: 'REF', 18: 'PACK', 19: 'VERDICT', 20: 'AFFECTED', 21: 'READSET', 22: 'OBJECT', 23: 'ORIGIN',
         24: 'WARN', 25: 'ERROR', 26: 'CACHE', 27: 'COMMIT', 28: 'OUTCOME', 29: 'RANGE', 30: 'SANDBOX', 31: 'DONE'}
# t: text, 4: u32, 8: u64, b: bytes
BODIES = {'PROGRESS': 't', 'REF': 'tttt', 'PACK': '88', 'VERDICT': 'ttttt', 'AFFECTED': 't', 'READSET': 'bt', 'OBJECT': 'tt44b4',
          'WARN': 'tt44', 'ERROR': 'ttt44tt', 'COMMIT': 'ttttt8tt8t', 'OUTCOME': 'tttt44', 'RANGE': 'b', 'SANDBOX': '44'}
NONCE = 0x1122334455667788


def text(b):
    b = b.encode() if isinstance(b, str) else b
    return struct.pack('<I', len(b)) + b


def frame(kind, body):
    return struct.pack('<IIQ', kind, len(body), NONCE) + body


def parse(name, body):
    out, at = [], 0
    for c in BODIES[name]:
        if c in 'tb':
            n, = struct.unpack_from('<I', body, at)
            out.append(body[at + 4:at + 4 + n].decode() if c == 't' else body[at + 4:at + 4 + n])
            at += 4 + n
        else:
            out.append(struct.unpack_from('<I' if c == '4' else '<Q', body, at)[0])
            at += int(c)
    assert at == len(body)
    return tuple(out)


class Answer:
    def __init__(self):
        self.frames, self.done, self.status, self.stderr = [], False, None, ''

    def all(self, name):
        return [f for n, f in self.frames if n == name]

    def one(self, name):
        found = self.all(name)
        assert len(found) == 1, (name, self.frames, self.stderr)
        return found[0]

    def error(self):
        """(code, message) of the one error; the job ended in order all the same."""
        assert self.done and self.status == 0, (self.frames, self.status, self.stderr)
        code, message = self.one('ERROR')[:2]
        return code, message

    def ok(self):
        assert self.done and self.status == 0 and not self.all('ERROR'), (self.frames, self.status, self.stderr)
        return self


def program(name, build=None):
    return os.path.join(TOP, build or os.environ.get('ROLE_BUILD', 'build'), name)


def send_job(sock, job, blobs=()):
    sock.send(frame(1, text(json.dumps(job))))
    for name, data in blobs:
        data = data.encode() if isinstance(data, str) else data
        for i in range(0, max(len(data), 1), 50000):
            sock.send(frame(2, text(name) + text(data[i:i + 50000])))
    sock.send(frame(3, b''))


def start(name, wrap=(), build=None, **popen):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fd = theirs.fileno()

    def at_three():
        os.dup2(fd, 3)
        os.set_inheritable(3, True)
    p = subprocess.Popen([*wrap, program(name, build)], preexec_fn=at_three, close_fds=False, env={}, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **popen)
    theirs.close()
    return p, ours


def run(name, job, blobs=(), limit=60, **how):
    p, sock = start(name, **how)
    a = Answer()
    counts = {}
    sock.settimeout(limit)
    try:
        send_job(sock, job, blobs)
        while True:
            d = sock.recv(1 << 17)
            if not d:
                break
            kind, n, nonce = struct.unpack_from('<IIQ', d)
            assert n == len(d) - 16 and nonce == NONCE and not a.done
            if kind == 31:
                a.done = True
                continue
            counts[kind] = counts.get(kind, 0) + 1
            a.frames.append((NAMES[kind], d[16:] if NAMES[kind] in ('ORIGIN', 'CACHE') else parse(NAMES[kind], d[16:])))
    except ConnectionResetError:
        pass
    finally:
        sock.close()
        a.stderr = p.stderr.read().decode()
        a.status = p.wait(limit)
    return a


def blob_apps(apps):
    """{name: [(path, oid or '')]} as the JOB's read sets."""
    out = b''
    for name, seen in apps.items():
        out += text(name) + struct.pack('<I', len(seen))
        for path, oid in seen:
            out += text(path) + text(oid)
    return out
