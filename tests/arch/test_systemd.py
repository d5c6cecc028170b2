"""systemd/leeboard.service: hardened as far as it claims, and no further than the workers can bear."""
import os
import re
import shutil
import subprocess

import pytest

import house

UNIT = os.path.join(house.TOP, 'systemd', 'leeboard.service')
EXPOSURE_MOST = 2.0
# What the controller calls beside its workers, at the calls that make a sandbox or a child.
CONTROLLER = '''accept4 bind listen socket socketpair connect sendmsg recvmsg epoll_create1 epoll_ctl epoll_pwait eventfd2
    inotify_init1 inotify_add_watch inotify_rm_watch signalfd4 timerfd_create clone clone3 vfork execve wait4 waitid kill dup2 dup3 pipe2
    openat fsync fdatasync ftruncate pwrite64 pread64 fcntl flock rename renameat renameat2 unlink unlinkat mkdir mkdirat rmdir
    fchmod chmod getdents64 mmap mprotect munmap getrandom prctl close_range unshare setrlimit prlimit64
    seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self memfd_create statfs fstatfs umask'''.split()


@pytest.fixture(scope='module')
def analyze():
    if not shutil.which('systemd-analyze'):
        assert not os.environ.get('CI'), 'systemd-analyze is missing: apt-get install systemd'
        pytest.skip('systemd-analyze is missing (apt-get install systemd)')

    def run(*argv):
        return subprocess.run(('systemd-analyze',) + argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                              env={**os.environ, 'SYSTEMD_LOG_LEVEL': 'warning', 'SYSTEMD_PAGER': ''})
    return run


def test_the_unit_is_as_closed_as_we_say(analyze):
    p = analyze('security', '--offline=true', '--no-pager', '--threshold=%d' % (EXPOSURE_MOST * 10), UNIT)
    m = re.search(r'Overall exposure level for leeboard\.service: ([\d.]+)', p.stdout)
    assert m, p.stdout
    assert float(m[1]) <= EXPOSURE_MOST, p.stdout
    assert p.returncode == 0, p.stdout


def test_systemd_understands_every_line(analyze, tmp_path):
    unit = tmp_path / 'leeboard.service'
    unit.write_text(house.read('systemd/leeboard.service').replace('/usr/bin/leeboard', '/bin/true'))
    assert analyze('verify', '--man=no', str(unit)).stdout == ''


def filters(analyze):
    """Set name -> its members, sets of sets expanded."""
    sets, name = {}, None
    for line in analyze('syscall-filter', '--no-pager').stdout.splitlines():
        word = line.strip()
        if re.match(r'@[\w-]+$', line):
            name = line
            sets[name] = set()
        elif name and word and not word.startswith('#') and line.startswith(' '):
            sets[name].add(word)

    def members(n):
        return set().union(*(members(w) if w.startswith('@') else {w} for w in sets[n]))
    return {n: members(n) for n in sets}


def allowed(analyze):
    sets = filters(analyze)
    may = set()
    for line in house.read('systemd/leeboard.service').splitlines():
        if not line.startswith('SystemCallFilter='):
            continue
        words = line.split('=', 1)[1]
        calls = set().union(*(sets[w] if w.startswith('@') else {w} for w in words.lstrip('~').split()))
        may = may - calls if words.startswith('~') else may | calls
    return may


def test_the_unit_allows_what_the_daemon_and_its_workers_call(analyze):
    workers = re.findall(r'SCMP_SYS\((\w+)\)', house.read('src/worker/sandbox.c').split('#define CALLS_ALL')[1].split('static bool allow')[0])
    assert len(workers) > 80
    assert not (set(workers) | set(CONTROLLER)) - allowed(analyze)


def test_the_unit_forbids_what_no_one_here_needs(analyze):
    may = allowed(analyze)
    for call in 'mount bpf ptrace init_module reboot swapon setuid chroot perf_event_open iopl settimeofday'.split():
        assert call not in may, call
