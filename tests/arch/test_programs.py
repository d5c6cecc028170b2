"""What the built programs are made of: link lines and hardening, read from the ELF files themselves."""
import os
import re
import subprocess

import pytest

import house

# design: what is not linked cannot be attacked. Libraries beyond libc that a program may need.
MAY_NEED = {
    'leeboard': {'libyaml-0', 'libsodium', 'libuv'},
    'leeboard-client': {'libcurl', 'libsodium', 'libuv'},
    'leeboard-fetch': {'libuv', 'libcurl', 'libsodium', 'libgit2', 'libseccomp'},
    'leeboard-verify': {'libyaml-0', 'libsodium', 'libcrypto', 'libgit2', 'libseccomp'},
    'leeboard-render': {'libyaml-0', 'libsodium', 'libgit2', 'libseccomp'},
}


def readelf(program, *flags):
    return subprocess.run(['readelf', '-W', *flags, os.path.join(house.TOP, 'build', program)],
                          check=True, capture_output=True, text=True).stdout


@pytest.fixture(params=sorted(MAY_NEED))
def program(request):
    path = os.path.join(house.TOP, 'build', request.param)
    if not os.path.exists(path) and not os.environ.get('CI'):
        pytest.skip('%s is not built: ./dev build' % path)
    assert os.path.exists(path), '%s is not built: ./dev build' % path
    return request.param


def test_a_program_links_only_what_its_role_needs(program):
    needed = {re.sub(r'\.so.*', '', n) for n in re.findall(r'\(NEEDED\).*\[(.+?)\]', readelf(program, '-d'))}
    assert needed - {'libc', 'libm', 'ld-linux-x86-64', 'libgcc_s'} <= MAY_NEED[program]


def test_programs_are_hardened(program):
    assert 'DYN (Position-Independent Executable file)' in readelf(program, '-h')
    dynamic = readelf(program, '-d')
    assert 'BIND_NOW' in dynamic and 'RPATH' not in dynamic and 'RUNPATH' not in dynamic
    segments = readelf(program, '-l')
    assert 'GNU_RELRO' in segments
    assert re.search(r'GNU_STACK .* RW ', segments), 'executable stack'
    symbols = readelf(program, '--dyn-syms')
    assert '__stack_chk_fail' in symbols
    assert re.search(r'__\w+_chk', symbols)
