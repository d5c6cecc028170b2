"""src/LAYERS is the architecture; these hold the code to it."""
import os
import re

import house

REACH, FOREIGN = house.layers()
# Of the C library, the kernel and the compiler: anybody's.
COMMON = re.compile(r'^(std\w+|assert|ctype|endian|errno|fcntl|inttypes|limits|locale|math|poll|regex|signal|string|strings|time|unistd|pwd|grp|'
                    r'dirent|fnmatch|getopt|malloc|netdb|sched|setjmp|float|syscall|arpa/\w+|netinet/\w+|sys/\w+|linux/\w+)\.h$')


def foreign_users(header):
    for pattern, users in FOREIGN.items():
        if pattern == header or pattern.endswith('/*') and header.startswith(pattern[:-1]):
            return users
    return None


def broken(path, module):
    allowed = REACH[module] | {module}
    for line, system, name in house.includes(path):
        if m := re.match(r'leeboard/([a-z]+)\.h$', name):
            if m[1] not in allowed and m[1] != 'limits':
                yield '%s:%d: %s may not include %s' % (path, line, module, m[1])
        elif system:
            users = foreign_users(name)
            if users is None and not COMMON.match(name):
                yield '%s:%d: <%s> has no home in src/LAYERS' % (path, line, name)
            elif users is not None and module not in users:
                yield '%s:%d: <%s> lives in %s, not in %s' % (path, line, name, ' '.join(users), module)
        else:
            here = os.path.dirname(path)
            if not os.path.exists(os.path.join(house.TOP, here, name)):
                yield '%s:%d: "%s" is no header of %s' % (path, line, name, here)


def test_sources_include_only_what_their_layer_may():
    wrong = []
    for path in house.sources('src', '.c', '.h'):
        module = path.split('/')[1]
        assert module in REACH, '%s: no module %s in src/LAYERS' % (path, module)
        wrong += broken(path, module)
    assert not wrong, '\n' + '\n'.join(wrong)


def test_public_headers_include_only_what_their_layer_may():
    wrong = []
    for path in house.sources('include/leeboard', '.h'):
        module = os.path.basename(path)[:-2]
        if module != 'limits':
            assert module in REACH, '%s: no module %s in src/LAYERS' % (path, module)
            wrong += broken(path, module)
    assert not wrong, '\n' + '\n'.join(wrong)


def test_a_module_with_code_has_its_header():
    missing = [m for m in REACH if os.path.isdir(os.path.join(house.TOP, 'src', m))
               and list(house.sources('src/' + m, '.c'))
               and m not in ('cli', 'role') and not os.path.exists(os.path.join(house.TOP, 'include/leeboard', m + '.h'))]
    assert not missing


def test_public_headers_have_their_code():
    """Or stand in docs/status.md as a contract that others already program against, one a line."""
    announced = set(re.findall(r'^- contract only: `(\w+)`', house.read('docs/status.md'), re.M))
    headers = {os.path.basename(p)[:-2] for p in house.sources('include/leeboard', '.h')} - {'limits'}
    without = {m for m in headers if not list(house.sources('src/' + m, '.c'))}
    assert without == announced, 'docs/status.md must name exactly the modules without code'


def test_nothing_names_a_path_of_a_developers_machine():
    wrong = []
    for folder in ('src', 'include', 'tests', 'fuzz', 'docs', 'examples', 'systemd', '.ci'):
        for path in house.sources(folder, '.c', '.h', '.py', '.md', '.yaml', '.service', '.sh', 'run', '.def'):
            for n, line in enumerate(house.read(path).splitlines(), 1):
                if re.search(r'(?<![\w.])/(work|root|home/[a-z]+/src)/', line) and 'test_layers.py' not in path:
                    wrong.append('%s:%d: %s' % (path, n, line.strip()[:80]))
    assert not wrong, '\n' + '\n'.join(wrong)
