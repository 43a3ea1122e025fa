"""Runs that are cut."""

from genimg.__main__ import main
from genimg.runs import run


def cut_at(step, arguments, monkeypatch):
    """The command interrupted before a step, which leaves the checkpoint of the one before."""
    with monkeypatch.context() as patch:
        patch.setattr(run, "OFTEN", 0.0)
        patch.setattr(run.Training, "diagnose", lambda self: None)
        advance = run.Training.advance

        def cut(self):
            if self.step == step:
                raise KeyboardInterrupt
            return advance(self)

        patch.setattr(run.Training, "advance", cut)
        assert main(arguments) == 130
