"""Real signals to real processes: who hears them, and what is said."""

import os
import select
import signal
import subprocess
import sys
import textwrap
import time

import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs POSIX signals")


def script(text, tmp_path, **options):
    """A program in a group of its own, which has said that it is ready."""
    (tmp_path / "script.py").write_text(textwrap.dedent(text))
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, **options,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_a_signal_to_the_group_is_heard_once_and_what_was_shielded_lives_on(number, tmp_path):
    process = script(
        """
        import subprocess, sys, time
        from genimg.system import signals
        waits = "import sys; print('here', flush=True); sys.stdin.read(); print('let go', flush=True)"
        with signals.Stop("heard") as stop:
            with signals.shielded():
                helper = subprocess.Popen([sys.executable, "-c", waits], stdin=-1, stdout=-1, text=True)
            assert helper.stdout.readline() == "here\\n"
            print("ready", flush=True)
            while not stop.asked:
                time.sleep(0.01)
            assert helper.poll() is None
            print(helper.communicate()[0].strip(), helper.returncode)
        """,
        tmp_path,
    )
    os.killpg(process.pid, number)
    said, errors = process.communicate(timeout=60)
    assert (said, errors, process.returncode) == ("let go 0\n", "heard\n", 0)


def test_a_second_one_stops_at_once(tmp_path):
    process = script(
        """
        import time
        from genimg.system import signals
        with signals.Stop("heard") as stop:
            print("ready", flush=True)
            try:
                while not stop.asked:
                    time.sleep(0.01)
                print("asked", flush=True)
                time.sleep(60)
            except KeyboardInterrupt:
                print("stopped")
        """,
        tmp_path,
    )
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("stopped\n", "heard\n")


def test_it_is_answered_while_a_call_that_python_cannot_leave_goes_on(tmp_path):
    """As a backward pass: here one that ends only when the answer has been read."""
    process = script(
        """
        import ctypes, sys, threading
        from genimg.system import signals
        library, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)
        held = threading.Event()

        def hold():
            library.pthread_mutex_lock(lock)
            held.set()
            print("ready", flush=True)
            print("told" if sys.stdin.readline() else "not told", flush=True)
            library.pthread_mutex_unlock(lock)

        with signals.Stop("heard") as stop:
            thread = threading.Thread(target=hold)
            thread.start()
            held.wait()
            library.pthread_mutex_lock(lock)
            thread.join()
            print(stop.asked, flush=True)
        """,
        tmp_path,
        stdin=subprocess.PIPE,
    )
    process.send_signal(signal.SIGINT)
    answered, _, _ = select.select([process.stderr], [], [], 60)
    said, errors = process.communicate("read\n" if answered else "")
    assert (said, errors) == ("told\nTrue\n", "heard\n")


def test_ctrl_c_while_it_starts_is_one_line(tmp_path):
    """Parts are imported for seconds: at any moment of that, no traceback."""
    for moment in (0.0, 0.1, 0.3, 0.6, 1.0):
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "genimg", "train", "gan", "--data", "digits", "--out", "a"],
            cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        for line in process.stderr:
            if "torch" in line:  # imported by `main`, which by then has said what Ctrl-C does
                break
        time.sleep(moment)
        process.send_signal(signal.SIGINT)
        errors = [line for line in process.communicate(timeout=120)[1].splitlines() if "import time:" not in line]
        assert process.returncode == 130
        assert [line.partition("genimg: ")[2][:7] for line in errors] == ["stopped"], errors
