"""What can't be shown, and nobody who reads, stops no command."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fit3dmm._errors import InputError
from fit3dmm.cli import console
from fit3dmm.cli.main import main


def test_names_are_escaped_where_they_cannot_be_shown():
    assert console.printable("a\udce9b\nc\x1b[31m é") == "a\\udce9b\\nc\\x1b[31m é"
    ascii_stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", ascii_stream)
        with console.working_streams():
            console.say("é \udce9")
            console.console().print("é [/bold] [red] :smile:")
        assert sys.stdout is ascii_stream
        assert sys.stdout.errors == "strict"
    assert ascii_stream.buffer.getvalue() == b"\\xe9 \\udce9\n\\xe9 [/bold] [red] :smile:\n"


def test_no_streams_at_all(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["fit", "nobody.jpg", "--out", "nowhere"]) == 2
    assert main(["model", "info", "nobody"]) == 2
    assert main(["--help"]) == 0
    assert sys.stdout is None


def test_closed_streams_are_not_given_to_files(tmp_path):
    """A library's words on stream 2 would be written into the file that was opened first."""
    code = (
        "import os, sys; from fit3dmm.cli.console import working_streams\n"
        "with working_streams(): file = open(sys.argv[1], 'w'); os.write(2, b'words'); print(1)\n"
        "sys.exit(file.fileno() < 3)"
    )
    line = 'exec "$0" -c "$1" "$2" <&- >&- 2>&-'
    path = tmp_path / "file"
    done = subprocess.run(["sh", "-c", line, sys.executable, code, str(path)])
    assert done.returncode == 0
    assert path.read_bytes() == b""


def test_a_reader_who_leaves_does_not_stop_what_is_said(monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        # What is printed for its own sake ends, as other tools' output does.
        assert main(["--help"]) == 141
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        console.say("a")
        console.say("b")


def test_a_full_disk_gets_a_sentence(monkeypatch):
    if not Path("/dev/full").exists():
        pytest.skip("there is no full device")
    with Path("/dev/full").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(InputError, match="Can't print: No space left"):
            console.say("a")
