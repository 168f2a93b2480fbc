"""Each photo has a folder of its own, whose name doesn't depend on who comes along."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fit3dmm.cli.names import Places, result_names
from fit3dmm.export.mark import PhotoIdentity, place_digest
from fit3dmm.export.result_folder import whole_folder
from fit3dmm.export.working import PREFIX

PATHS = st.builds(
    Path,
    st.sampled_from(["/x/a", "/x/b", "/y/a", "/", "/x/a-b"]),
    st.sampled_from(
        ["me.jpg", "me.png", "Me.jpg", "a-me.jpg", "b-me.png", "a-me.jpg.png", "..jpg"]
    ),
)


def who(photo: Path, content: str = "") -> PhotoIdentity:
    return PhotoIdentity(photo.stem, content or str(photo), place_digest(photo))


def chosen(out: Path, photos: list[Path]) -> dict[str, str]:
    places = Places(out, photos)
    return {str(photo): places.choose(photo, who(photo)).name for photo in photos}


@given(st.lists(PATHS, unique=True, max_size=8))
def test_no_two_photos_share_a_folder_in_any_order(photos):
    out = Path("/nowhere")
    names = chosen(out, photos)
    # Also where upper and lower case are the same.
    assert len({name.casefold() for name in names.values()}) == len(photos)
    assert not {".", "..", ""} & set(names.values())
    for order in itertools.islice(itertools.permutations(photos), 6):
        assert chosen(out, list(order)) == names


def test_folders_then_suffixes_tell_photos_apart(tmp_path):
    photos = [Path("/x/a/me.jpg"), Path("/x/b/me.jpg"), Path("/x/b/me.png"), Path("/x/b/you.jpg")]
    assert list(chosen(tmp_path, photos).values()) == ["a-me", "b-me.jpg", "b-me.png", "you"]
    more = chosen(tmp_path, [*photos, Path("/y/a/me.jpg"), Path("/x/c/me.jpg")])
    assert more["/x/b/me.jpg"] == "b-me.jpg"
    assert more["/x/c/me.jpg"] == "c-me"
    # A plain name goes before one that was put together.
    photos = [Path("/x/a/me.jpg"), Path("/x/b/me.jpg"), Path("/x/c/a-me.png")]
    assert list(chosen(tmp_path, photos).values()) == ["a-me.jpg", "b-me", "a-me"]


def test_a_photo_keeps_the_name_of_its_result_when_others_join(tmp_path):
    a, b = Path("/x/a/me.jpg"), Path("/x/b/me.jpg")

    def fit(photos: list[Path]) -> dict[str, str]:
        names = chosen(tmp_path, photos)
        for photo in photos:
            with whole_folder(tmp_path / names[str(photo)], who(photo)) as folder:
                (folder / "fit.json").write_text(str(photo))
        return names

    assert fit([a]) == {str(a): "me"}
    assert fit([b]) == {str(b): "b-me"}  # another run, which must not replace the other photo's
    for order in ([a, b], [b, a]):
        assert fit(order) == {str(a): "me", str(b): "b-me"}
    assert (tmp_path / "me" / "fit.json").read_text() == str(a)
    # A photo that was moved or copied is the same; one that was edited has no other place.
    moved = Places(tmp_path, [Path("/z/me.jpg")])
    same = PhotoIdentity("me", str(a), place_digest(Path("/z/me.jpg")))
    assert moved.choose(Path("/z/me.jpg"), same).name == "me"
    assert Places(tmp_path, [b]).choose(b, who(b, "edited")).name == "b-me"


def test_a_folder_of_the_users_is_not_dodged(tmp_path):
    """He is told, and finds no result by a name that he doesn't look for."""
    (tmp_path / "me").mkdir()
    (tmp_path / "me" / "diary").write_text("mine")
    assert chosen(tmp_path, [Path("/x/a/me.jpg")]) == {"/x/a/me.jpg": "me"}


@pytest.mark.parametrize(
    "name",
    [
        "..jpg",
        "...jpg",
        ".jpg",
        f"{PREFIX}1.jpg",
        "é" * 125 + ".jpg",
        "a" * 251 + ".jpg",
        "\udce9.png",
    ],
)
def test_every_name_can_be_a_folders(name, tmp_path):
    for result in result_names(tmp_path / name):
        assert result not in (".", "..")
        assert not result.startswith(PREFIX)
        with whole_folder(tmp_path / result, who(Path("me"))) as folder:
            (folder / "fit.json").write_text(json.dumps(name))
        assert (tmp_path / result / "fit.json").is_file()
