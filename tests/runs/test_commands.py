"""What the commands say of themselves."""

from genimg.models import gan
from genimg.runs import commands


def test_the_help_names_every_loss():
    assert set(commands.LOSSES) == gan.LOSSES.keys()
