"""leeboard-fetch over https, and names instead of addresses."""
import os
import socket
import struct
import subprocess
import threading

import pytest

import servers


@pytest.fixture(scope='module')
def pki(tmp_path_factory):
    return servers.Pki(tmp_path_factory.mktemp('pki'))


@pytest.fixture
def tls(tmp_path, repo, pki):
    made = []

    def serve(**how):
        made.append(servers.HttpServer(tmp_path / 'srv', pki.context(**how)))
        return made[-1]
    yield serve
    for s in made:
        s.close()


def test_a_server_of_the_given_ca_is_believed(repo, pki, tls, store, fetch):
    tip = repo.commit()
    fetch(tls().url('fleet'), tip, [('ca', pki.text(pki.ca))]).ok()
    assert store.has(tip)


def test_a_server_of_no_known_ca_is_not(repo, pki, tls, refs, tmp_path):
    repo.commit()
    s = tls()
    for blobs in ([], [('ca', servers.Pki(tmp_path / 'else').text(str(tmp_path / 'else/ca.pem')))]):
        code, message = refs(s.url('fleet'), blobs=blobs).error()
        assert code == 'TLS' and message.startswith("cannot verify the certificate of '127.0.0.1:%d': " % s.port)
    assert s.requests() == []


def test_a_client_certificate_is_shown(repo, pki, tls, refs):
    repo.commit()
    s = tls(client=True)
    ca = [('ca', pki.text(pki.ca))]
    mine = [('cert', pki.text(pki.client)), ('key', pki.text(pki.key('client')))]
    assert refs(s.url('fleet'), blobs=ca + mine).ok().all('REF')
    assert refs(s.url('fleet'), blobs=ca).error()[0] in ('TLS', 'Unreachable')


def test_a_name_is_looked_up_in_the_hosts_file(repo, pki, tls, server, refs):
    repo.commit()
    assert refs(server.url('fleet', 'localhost')).ok().all('REF')
    assert refs(tls().url('fleet', 'localhost'), blobs=[('ca', pki.text(pki.ca))]).ok().all('REF')


def test_a_name_that_nobody_knows_is_unreachable(refs):
    assert refs('http://no-such-host.invalid/x', timeout=20000).error() == (
        'Unreachable', "cannot find the address of 'no-such-host.invalid:80'")


def answer_names(sock, name, address):
    """A name server that knows one name."""
    wire = b''.join(bytes([len(p)]) + p.encode() for p in name.split('.')) + b'\0'
    while True:
        try:
            q, peer = sock.recvfrom(512)
        except OSError:
            return
        end = q.index(b'\0', 12) + 5
        kind, = struct.unpack('>H', q[end - 4:end - 2])
        known = q[12:end - 4].lower() == wire
        head = q[:2] + (b'\x81\x80' if known else b'\x81\x83') + b'\0\1' + (b'\0\1' if known and kind == 1 else b'\0\0') + b'\0\0\0\0'
        rr = b'\xc0\x0c\0\1\0\1\0\0\0\1\0\4' + socket.inet_aton(address) if known and kind == 1 else b''
        sock.sendto(head + q[12:end] + rr, peer)


@pytest.mark.skipif(os.getuid() != 0, reason='another resolv.conf wants a mount namespace')
def test_a_name_is_asked_of_the_name_server(tmp_path, repo, server, refs):
    repo.commit()
    (tmp_path / 'resolv.conf').write_text('nameserver 127.0.0.153\noptions timeout:2 attempts:2\n')
    (tmp_path / 'nsswitch.conf').write_text('hosts: files mymachines resolve mdns4_minimal [NOTFOUND=return] dns\n')
    wrap = ['unshare', '-m', 'sh', '-c', 'mount --bind %s/resolv.conf /etc/resolv.conf && exec "$0" "$@"' % tmp_path]
    if subprocess.run([*wrap, 'true'], stderr=subprocess.DEVNULL).returncode:
        pytest.skip('no mount namespace here')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(('127.0.0.153', 53))
        threading.Thread(target=answer_names, args=(s, 'git.example.org', '127.0.0.1'), daemon=True).start()
        assert refs(server.url('fleet', 'git.example.org'), how={'wrap': wrap}).ok().all('REF')
        assert refs(server.url('fleet', 'other.example.org'), how={'wrap': wrap}).error()[0] == 'Unreachable'
        # modules of the name service that the sandbox cannot load are passed over
        wrap[4] = 'mount --bind %s/nsswitch.conf /etc/nsswitch.conf && %s' % (tmp_path, wrap[4])
        if os.path.exists('/etc/nsswitch.conf'):
            (tmp_path / 'nsswitch.conf').write_text('hosts: files mymachines resolve dns\n')
            assert refs(server.url('fleet', 'git.example.org'), how={'wrap': wrap}).ok().all('REF')


def test_an_ipv6_address_is_an_address(refs):
    code, message = refs('http://[::1]:%d/x' % servers.free_port()).error()
    assert code == 'Unreachable' and ('refused' in message or 'unreachable' in message or 'assign' in message), message
