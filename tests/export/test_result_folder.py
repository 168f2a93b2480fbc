"""A result replaces its earlier self and touches nothing else, whatever lies there."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fit3dmm._errors import InputError
from fit3dmm._files import MARK
from fit3dmm.export.mark import PhotoIdentity, read_mark
from fit3dmm.export.result_folder import whole_folder
from fit3dmm.export.working import PREFIX, sweep, working_folder

ME, OTHER = PhotoIdentity("me", "1" * 64), PhotoIdentity("me", "2" * 64)
YOU = PhotoIdentity("you", "3" * 64)
Tree = dict[str, Any]

# Names that results have, that users have, and that are both.
NAMES = st.sampled_from(
    ["fit.json", "texture.png", "face1", "face2", ".env", "me", "old", "new", "notes", ".git"]
)
TREES = st.recursive(
    st.binary(max_size=3), lambda inside: st.dictionaries(NAMES, inside, max_size=4), max_leaves=8
)
FOLDERS = st.dictionaries(NAMES, TREES, max_size=4)


def build(folder: Path, tree: Tree) -> None:
    """Write a tree; what is there stays where the tree has a folder for a file or the reverse."""
    for name, content in tree.items():
        path = folder / name
        if isinstance(content, bytes):
            if not path.is_dir():
                path.write_bytes(content)
        elif not path.is_file():
            path.mkdir(exist_ok=True)
            build(path, content)


def content_of(folder: Path) -> dict[str, bytes | str | None]:
    """Everything below: bytes of files, where links point to, None for folders."""
    found: dict[str, bytes | str | None] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def write(target: Path, files: Tree, photo: PhotoIdentity = ME) -> None:
    with whole_folder(target, photo) as folder:
        build(folder, without_empty_folders(files))


def without_empty_folders(tree: Tree) -> Tree:
    """What a result is like."""
    pruned = {k: without_empty_folders(v) if isinstance(v, dict) else v for k, v in tree.items()}
    return {k: v for k, v in pruned.items() if v != {}}


def listed(folder: Path) -> set[str]:
    mark = read_mark(folder)
    assert mark is not None
    # With the folders that exist for the files alone.
    places = {str(p) for name in mark.files for p in Path(name).parents if p.parts}
    return {*mark.files, *places, MARK}


@given(around=FOLDERS, first=FOLDERS, added=FOLDERS, second=FOLDERS, photo=st.booleans())
@settings(max_examples=60, deadline=None)
def test_whatever_was_there_is_there_but_for_the_marked_result(around, first, added, second, photo):
    with tempfile.TemporaryDirectory() as place:
        out = Path(place)
        build(out, around)
        target = out / "me"
        # A user's folder of the result's name is left alone.
        before = content_of(out)
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            with pytest.raises(InputError):
                write(target, first)
            assert content_of(out) == before
            return
        write(target, first)
        assert {k: v for k, v in content_of(out).items() if not k.startswith("me")} == {
            k: v for k, v in before.items() if not k.startswith("me")
        }
        ours = {f"me/{name}" for name in listed(target)}
        written = content_of(out)
        # The user adds things, and changes some of the result's.
        build(target, added)
        before = content_of(out)
        kept = {k: v for k, v in before.items() if k not in ours or v != written[k]}
        # With the folders that they lie in.
        kept |= {str(p): None for k in kept for p in Path(k).parents if p.parts}
        try:
            write(target, second, ME if photo else OTHER)
        except InputError:
            assert content_of(out) == before
            return
        assert photo
        after = content_of(out)
        assert kept.items() <= after.items()
        fresh = {f"me/{name}" for name in listed(target)}
        assert after.keys() - kept.keys() == fresh - kept.keys()
        for name, value in content_of_tree(second).items():
            assert after[f"me/{name}"] == value


def content_of_tree(tree: Tree) -> dict[str, bytes]:
    """The files alone, by path."""
    found = {}
    for name, content in tree.items():
        if isinstance(content, dict):
            found |= {f"{name}/{k}": v for k, v in content_of_tree(content).items()}
        else:
            found[name] = content
    return found


KILLED = """
import itertools, os, sys
from pathlib import Path
from fit3dmm.export.mark import read_mark
from tests.export.test_result_folder import ME, PREFIX, YOU, content_of, write

def dying(real, n, steps):
    def call(*arguments, **names):
        if next(steps) == n:
            os._exit(9)
        return real(*arguments, **names)
    return call

first = {"fit.json": b"1", "face1": {"texture.png": b"1"}, "old.txt": b"1"}
second = {"fit.json": b"2", "face2": {"texture.png": b"2"}, "new.txt": b"2"}
for n in itertools.count():
    out = Path(sys.argv[1]) / str(n)
    me = out / "me"
    write(me, first)
    (me / "diary").write_bytes(b"mine")
    (me / "face1" / "notes").write_bytes(b"mine")
    (me / "empty").mkdir()
    child = os.fork()
    if child == 0:
        steps = itertools.count()
        for name in ("rename", "unlink", "rmdir", "mkdir"):
            setattr(os, name, dying(getattr(os, name), n, steps))
        write(me, second)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for work in out.glob(PREFIX + "*"):
        if not (work / "work.json").exists():
            # One that has just been made might be a living run's.
            assert [p.name for p in work.iterdir()] in ([], ["lock"])
            os.utime(work, (0, 0))
    write(out / "you", first, YOU)
    found = content_of(me)
    assert found.pop("diary") == b"mine" and found.pop("face1/notes") == b"mine", found
    assert found.pop("empty", 0) is None
    assert sorted(p.name for p in out.iterdir()) == ["me", "you"], (n, content_of(out))
    have = {k: v for k, v in found.items() if v is not None and k != ".fit3dmm.json"}
    ends = [
        {"fit.json": b"1", "face1/texture.png": b"1", "old.txt": b"1"},
        {"fit.json": b"2", "face2/texture.png": b"2", "new.txt": b"2"},
    ]
    assert have in ends and read_mark(me).files.keys() == have.keys(), (n, have)
    if code == 0:
        assert have == ends[1] and n > 10
        break
    assert code == 9
"""


def test_a_run_that_is_killed_at_any_step_loses_nothing(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


WAITING = """
import sys, time
from pathlib import Path
from tests.export.test_result_folder import ME, whole_folder

with whole_folder(Path(sys.argv[1]), ME) as folder:
    (folder / "fit.json").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_living_run_is_left_alone_and_a_killed_ones_litter_goes(number, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, str(tmp_path / "me")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as run:
        assert run.stdout is not None
        run.stdout.readline()
        sweep(tmp_path)
        (work,) = tmp_path.iterdir()
        assert (work / "new" / "fit.json").read_text() == "half"
        run.send_signal(number)
        run.wait()
    # Who is interrupted clears up, who is killed can't.
    assert [*tmp_path.iterdir()] == ([] if number == signal.SIGINT else [work])
    write(tmp_path / "you", {"fit.json": b"whole"}, YOU)
    assert [p.name for p in tmp_path.iterdir()] == ["you"]


def test_what_only_looks_like_litter_stays(tmp_path):
    mine = tmp_path / f"{PREFIX}mine"
    mine.mkdir()
    (mine / "diary").write_text("mine")
    elsewhere = tmp_path / f"{PREFIX}elsewhere"
    elsewhere.mkdir()
    record = {"format": "fit3dmm-working", "target": "me", "host": "other", "locked": True}
    (elsewhere / "work.json").write_text(json.dumps(record))
    (tmp_path / f"{PREFIX}file").write_text("mine")
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path)
    outward = tmp_path / f"{PREFIX}outward"
    (outward / "old-0").mkdir(parents=True)
    (outward / "work.json").write_text(json.dumps(record | {"target": "../../x"}))
    os.utime(mine, (0, 0))
    os.utime(outward, (0, 0))
    before = content_of(tmp_path)
    sweep(tmp_path)
    assert content_of(tmp_path) == before
    # Another machine's is forgotten after a day.
    os.utime(elsewhere, (0, 0))
    sweep(tmp_path)
    assert before.keys() - content_of(tmp_path).keys() == {
        elsewhere.name,
        f"{elsewhere.name}/work.json",
    }


def test_two_runs_on_one_photo_end_in_one_whole_result(tmp_path):
    me = tmp_path / "me"
    write(me, {"fit.json": b"0"})
    (me / "diary").write_bytes(b"mine")
    with whole_folder(me, ME) as one:
        (one / "fit.json").write_bytes(b"1")
        write(me, {"fit.json": b"2", "more": b"2"})
    assert {k: v for k, v in content_of(tmp_path).items() if k != f"me/{MARK}"} == {
        "me": None,
        "me/fit.json": b"1",
        "me/diary": b"mine",
    }


def test_a_place_taken_meanwhile_is_not_overwritten(tmp_path):
    me = tmp_path / "me"
    write(me, {"fit.json": b"1"})

    def taken() -> None:
        with whole_folder(me, ME) as folder:
            (folder / "fit.json").write_bytes(b"2")
            me.rename(tmp_path / "moved")
            build(tmp_path, {"me": {"diary": b"mine"}})

    with pytest.raises(InputError, match="has no mark"):
        taken()
    assert content_of(me) == {"diary": b"mine"}
    # An earlier folder whose place is taken for good is put where it is seen.
    with working_folder(me) as work:
        (tmp_path / "moved").rename(work / "old-0")
    (kept,) = tmp_path.glob("me-kept-*")
    assert (kept / "fit.json").read_bytes() == b"1"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["me", kept.name]


def test_links_lead_nowhere_else(tmp_path):
    me, elsewhere = tmp_path / "me", tmp_path / "elsewhere"
    write(me, {"face1": {"fit.json": b"1"}})
    (me / "face1").rename(elsewhere)
    (me / "face1").symlink_to(elsewhere)
    write(me, {"fit.json": b"2"})
    assert (elsewhere / "fit.json").read_bytes() == b"1"
    assert (me / "face1").is_symlink()
    with pytest.raises(InputError, match="face1 is yours, or was changed"):
        write(me, {"face1": {"fit.json": b"3"}})
    # A link to a result's folder stays one.
    (tmp_path / "disk").mkdir()
    (tmp_path / "you").symlink_to(tmp_path / "disk")
    write(tmp_path / "you", {"fit.json": b"1"}, YOU)
    write(tmp_path / "you", {"fit.json": b"2"}, YOU)
    assert (tmp_path / "you").is_symlink()
    assert (tmp_path / "disk" / "fit.json").read_bytes() == b"2"
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    write(tmp_path / "broken", {"fit.json": b"1"}, YOU)
    assert (tmp_path / "nowhere" / "fit.json").read_bytes() == b"1"


@pytest.mark.parametrize(
    "change",
    [
        {"format": "something else"},
        {"files": {"../diary": "0"}},
        {"files": {"/etc/passwd": "0"}},
        {"files": ["fit.json"]},
        {"photo": {"name": "me"}},
        {"photo": None},
    ],
)
def test_a_mark_that_cannot_be_trusted_is_none(change, tmp_path):
    me = tmp_path / "me"
    write(me, {"fit.json": b"1"})
    mark = json.loads((me / MARK).read_text()) | change
    (me / MARK).write_text(json.dumps(mark))
    (tmp_path / "diary").write_text("mine")
    before = content_of(tmp_path)
    with pytest.raises(InputError, match="has no mark of fit3dmm's"):
        write(me, {"fit.json": b"2"})
    assert content_of(tmp_path) == before


def test_newer_marks_and_working_names_are_refused(tmp_path):
    me = tmp_path / "me"
    write(me, {"fit.json": b"1"})
    mark = json.loads((me / MARK).read_text()) | {"format_version": 99}
    (me / MARK).write_text(json.dumps(mark))
    with pytest.raises(InputError, match=r"version 99.*update fit3dmm"):
        write(me, {"fit.json": b"2"})
    with pytest.raises(InputError, match="choose another name"):
        write(tmp_path / f"{PREFIX}a", {"fit.json": b"1"})
    assert [p.name for p in tmp_path.iterdir()] == ["me"]
