"""What the commands say of themselves, and that all they name can be typed."""

import ast
import dataclasses
import re
import shlex
from pathlib import Path

import pytest
from torch.distributed import run as torchrun

import genimg
from genimg.__main__ import main, parser
from genimg.models import gan
from genimg.runs import advice, parsers, run
from genimg.runs.recipes import DEFAULT, FAMILIES, OWN, Recipe
from genimg.system.errors import RunError
from genimg.training.diagnostics import Diagnosis

PACKAGE = Path(genimg.__file__).parent


def test_the_help_names_every_loss():
    assert set(parsers.LOSSES) == gan.LOSSES.keys()


def options_of(p):
    """Command or family -> its parser's options."""
    found = {}
    for action in p._actions:
        for name, sub in (action.choices or {}).items() if hasattr(action, "_name_parser_map") else ():
            found |= {name: set(sub._option_string_actions)} | options_of(sub)
    return found


OPTIONS = options_of(parser())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_help_of_a_family_has_its_own_options_only(family, capsys):
    with pytest.raises(SystemExit):
        main(["train", family, "--help"])
    shown = set(re.findall(r"--[a-z][a-z0-9-]*", capsys.readouterr().out.split("what to change first")[0]))
    others = set().union(*parsers.OF_FAMILY.values()) - set(parsers.OF_FAMILY.get(family, ()))
    assert shown == {name for name in OPTIONS[family] if name.startswith("--")}
    assert not shown & others


@pytest.mark.parametrize("family", FAMILIES)
def test_torchrun_passes_every_option_on(family, capsys):
    """It takes the beginning of its own options for them, and is asked about words that are meant for the script."""
    launcher = ["--standalone", "--nproc_per_node=2", "-m", "genimg", "train", family]
    for name in sorted(OPTIONS[family] - {"--n"}):
        assert torchrun.parse_args([*launcher, name, "1"]).training_script_args[-2:] == [name, "1"]
    with pytest.raises(SystemExit):
        torchrun.parse_args([*launcher, "--n", "1"])
    assert "--n could match" in capsys.readouterr().err  # so its help names --pictures
    assert parser().parse_args(["train", family, "--data", "a", "--out", "b", "--pictures", "5"]).n == 5


FOREIGN = [
    (family, option)
    for family in FAMILIES
    for option in sorted(set().union(*parsers.OF_FAMILY.values()) - set(parsers.OF_FAMILY.get(family, ())))
]


@pytest.mark.parametrize(("family", "option"), FOREIGN)
def test_options_of_another_family_are_refused(family, option, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["train", family, "--data", "digits", "--out", str(tmp_path / "a"), option, "1"])
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{option} is an option of train " in line and f"train {family} has none" in line
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("option", parsers.ELSEWHERE)
def test_what_other_programs_call_an_option_is_told_by_its_name_here(option, capsys):
    with pytest.raises(SystemExit):
        main(["train", "gan", "--data", "digits", "--out", "a", option, "1"])
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{option} is no option of train gan: {parsers.ELSEWHERE[option]}" in line


def test_without_a_family_the_default_is_trained_and_said(tmp_path, capsys):
    small = ["--data", "digits", "--size", "8", "--width", "4", "--n", "20", "--batch", "4", "--steps", "2"]
    assert main(["train", *small, "--out", str(tmp_path / "a")]) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == parsers.why_default()
    assert all(f"train {family}" in first for family in FAMILIES if family != DEFAULT)
    assert run.config(tmp_path / "a").family == DEFAULT
    assert main(["train", DEFAULT, *small, "--out", str(tmp_path / "a")]) == 0  # the same run, which is done
    assert "no family" not in capsys.readouterr().out
    other = next(family for family in FAMILIES if family != DEFAULT)
    assert main(["train", other, *small, "--out", str(tmp_path / "b")]) == 0
    capsys.readouterr()
    assert main(["train", *small, "--out", str(tmp_path / "b")]) == 2  # a run keeps its family
    assert f"--family was {other}, is {DEFAULT}" in capsys.readouterr().err


def test_the_default_is_only_put_where_a_family_is_missing(capsys):
    for words in (
        [],
        ["train"],
        ["train", "--help"],
        ["train", "-h"],
        ["train", "gan", "--data", "x"],
        ["sample", "-h"],
    ):
        assert parsers.with_family(words) == words
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert f"Without a family it is {DEFAULT}" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["train", "--data", "digits", "--out", "x", "--sigma", "1"])
    assert f"--sigma is an option of train vae, train {DEFAULT} has none" in capsys.readouterr().err


VALUES = {"norm": "group", "loss": "hinge", "r1": 5.0, "diff_augment": ("cutout",), "beta": 2.0, "sigma": 0.5}
VALUES |= {"captions": "names", "vocabulary": 5}
#: Setting -> what it cannot be made without.
WITH = {"vocabulary": {"captions": "names"}}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_recipe_with_settings_of_another_family_is_refused(family):
    for names in OWN.values():
        for name in names:
            recipe = dataclasses.replace(Recipe(family, "digits", size=8), **{name: VALUES[name]})
            if name in OWN.get(family, ()):
                dataclasses.replace(recipe, **WITH.get(name, {})).complete()
            else:
                with pytest.raises(RunError, match=f"--{name.replace('_', '-')} .* {family} has no such setting"):
                    recipe.complete()


def texts(folder):
    """(file, text) of every string in the code of a folder but what stands alone: docstrings."""
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
                yield path, node.value


#: Options that are not for the reader of a message, or of pip.
OF_PIP_AND_NPM = {"--upgrade", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "--fetch-retries"}
OF_PIP_AND_NPM |= {"--fetch-retry-mintimeout", "--fetch-timeout"}


def test_every_option_that_a_message_names_is_there():
    known = set().union(*OPTIONS.values()) | set(parsers.ELSEWHERE) | OF_PIP_AND_NPM
    for room in ("runs", "data", "training", "system"):
        for path, text in texts(PACKAGE / room):
            named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*[a-z0-9]", text))
            assert named <= known, f"{path}: {named - known}"


NAMES = sorted(
    {
        node.args[0].value
        for name in ("diagnostics", "checkup", "loop")
        for node in ast.walk(ast.parse((PACKAGE / "training" / f"{name}.py").read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Diagnosis")
    }
)
#: What no run of the command line can meet: its pictures are bytes, its flows not looked at, its statistics made.
NOT_HERE = {"wrong data range", "stale batch-norm statistics", "too few steps", "guidance too strong"}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_HERE])
def test_cures_can_be_typed(name):
    cure = advice.on_command_line(Diagnosis(name, "seen", "")).cure
    assert cure
    assert not re.search(r"\w=|\(\d", cure), "an argument of a Python function"
    assert set(re.findall(r"--[a-z][a-z0-9-]*", cure)) <= set().union(*(OPTIONS[family] for family in FAMILIES))


@pytest.mark.parametrize("command", ["train", "sample", "evaluate", "page", "record", "claims"])
def test_what_takes_less_memory_are_options_of_the_command(command):
    named = set(re.findall(r"--[a-z][a-z0-9-]*", advice.LESS_MEMORY[command]))
    there = set.intersection(*(OPTIONS[family] for family in FAMILIES)) if command == "train" else OPTIONS[command]
    assert named and named <= there


def test_the_closing_line_can_be_pasted_and_color_is_colour(tmp_path, capsys):
    out = tmp_path / "my runs" / "a"
    small = ["--data", "digits", "--size", "8", "--width", "4", "--n", "20", "--batch", "4", "--steps", "2"]
    assert main(["train", "gan", *small, "--out", str(out), "--diff-augment", "color"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    typed = line.partition("; ")[2].removesuffix(" draws from it")
    assert shlex.split(typed) == ["python", "-m", "genimg", "sample", str(out)]
    assert main(shlex.split(typed)[3:]) == 0
