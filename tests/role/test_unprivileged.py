"""Root hides EPERM: one story of each worker once more as a user without privileges."""
import os
import subprocess
import sys

import pytest

NOBODY = 65534
HERE = os.path.dirname(os.path.abspath(__file__))
STORIES = ['test_fetch_http.py::test_the_second_fetch_brings_only_what_is_new', 'test_fetch_http.py::test_many_packs_become_one',
           'test_fetch_local.py::test_a_path_is_fetched_and_then_only_what_is_new',
           'test_verify.py::test_each_commit_of_a_range_is_judged_and_the_second_list_agrees',
           'test_render.py::test_a_folder_of_a_commit_comes_as_objects_with_places_and_read_set']


@pytest.mark.skipif(os.getuid() != 0, reason='the other tests run without privileges already')
def test_the_workers_do_as_well_without_privileges(tmp_path_factory):
    import tempfile
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        os.mkdir(d + '/w')
        os.chown(d + '/w', NOBODY, NOBODY)
        p = subprocess.run([sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '--basetemp', d + '/w/t',
                            *(os.path.join(HERE, s) for s in STORIES)], user=NOBODY, group=NOBODY, extra_groups=[],
                           env={**os.environ, 'HOME': d + '/w', 'PYTHONDONTWRITEBYTECODE': '1'}, cwd=HERE,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    assert p.returncode == 0 and b'%d passed' % len(STORIES) in p.stdout, p.stdout.decode()
