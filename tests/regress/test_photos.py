import dataclasses
import hashlib
import io
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm._files import data_path
from fit3dmm.regress import photo_pool
from fit3dmm.regress.batch import Changes, batch_of, draw_changes
from fit3dmm.regress.checkpoint import read_checkpoint
from fit3dmm.regress.looks import Unlabelled, largest_increase
from fit3dmm.regress.photo_batch import PhotoCrop, changed_photos, photo_batch_of, photos_resized
from fit3dmm.regress.photo_pool import PhotoPool, gather_photos, is_held_out
from fit3dmm.regress.pool import PicturePool
from fit3dmm.regress.training import train
from fit3dmm.regress.training_settings import Phase, PhotoSettings, TrainingSettings
from tests.regress.examples import Painter, painter, tiny_network

SETTINGS = TrainingSettings(
    steps=4, batch=3, fresh=1, fill=4, warm_up=2, check_every=2, bfloat16=False,
    phases=(Phase(32, 1.0),), photos=PhotoSettings(batch=2, weight=1.0, most_worse=10.0),
)  # fmt: skip


def _crop(seed: int, size: int = 32) -> PhotoCrop:
    draw = np.random.default_rng(seed)
    return PhotoCrop(
        image_srgb=draw.integers(0, 255, (size, size, 3)).astype(np.uint8),
        inside=np.ones((size, size), dtype=bool),
        points_px=draw.uniform(8, 24, (478, 2)).astype(np.float32),
        principal_point_px=np.full(2, size / 2, dtype=np.float32),
        focal_px=float("nan"),
        longer_side_px=40.0,
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    names = [f"{k}" for k in range(5)]
    for k, name in enumerate(names):
        np.savez(folder / f"{name}.npz", **vars(_crop(k)))
    return PhotoPool(folder, tuple(names[:3]), tuple(names[3:]))


@pytest.fixture(scope="module")
def held_out():
    return batch_of([Painter().take(seed) for seed in range(900, 904)])


def _bright_as_the_photo(outputs, photos):
    """A loss for tests: the tone is the photo's brightness."""
    brightness = photos.image_srgb.mean((1, 2, 3)).log()
    return {"tone": (outputs.log_tone - brightness).square()}


def _nothing(outputs, photos):
    return {"nothing": 0 * outputs.log_tone}


def _dark(outputs, photos):
    """One that no render agrees with."""
    return {"tone": 1e4 * outputs.log_tone}


def _train(folder, held_out, photos, settings=SETTINGS, loss=_bright_as_the_photo, stop_after=None):
    looks = []

    def report(look):
        looks.append(look)
        if stop_after is not None and look.step >= stop_after:
            raise KeyboardInterrupt

    unlabelled = None if photos is None else Unlabelled(photos, loss)
    with PicturePool(folder / "pool", painter(), 16, 0, 0) as pool:
        trained = train(
            tiny_network(), pool, held_out, settings, folder, report, unlabelled=unlabelled
        )
    return trained, looks


def _same(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_no_photos_a_step_change_nothing(tmp_path, held_out, photos):
    none = dataclasses.replace(SETTINGS, steps=2, photos=PhotoSettings(batch=0))
    _, looks = _train(tmp_path / "alone", held_out, None, none)
    _, seen = _train(tmp_path / "beside", held_out, photos, none, _nothing)
    assert [look.step for look in seen] == [0, 2]
    assert [look.parts for look in seen[1:]] == [look.parts for look in looks]
    one, other = (read_checkpoint(tmp_path / name, none) for name in ("alone", "beside"))
    assert one is not None
    assert other is not None
    for part in ("weights", "average"):
        assert all(torch.equal(v, getattr(other, part)[k]) for k, v in getattr(one, part).items())


def test_no_steps_change_nothing(tmp_path, held_out, photos):
    trained, looks = _train(tmp_path, held_out, photos, dataclasses.replace(SETTINGS, steps=0))
    assert _same(trained, tiny_network())
    assert [look.step for look in looks] == [0]


def test_a_killed_training_with_photos_goes_on_to_the_same_numbers(tmp_path, held_out, photos):
    whole, looks = _train(tmp_path / "whole", held_out, photos)
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path / "killed", held_out, photos, stop_after=2)
    resumed, rest = _train(tmp_path / "killed", held_out, photos)
    assert [look.step for look in looks] == [0, 2, 4]
    assert [look.step for look in rest] == [4]
    assert dataclasses.replace(rest[0], seconds=0.0) == dataclasses.replace(looks[2], seconds=0.0)
    assert _same(whole, resumed)


def test_photos_are_learned_from(tmp_path, held_out, photos):
    longer = dataclasses.replace(SETTINGS, steps=8, check_every=8)
    _, looks = _train(tmp_path, held_out, photos, longer)
    assert looks[-1].photo_loss < 0.9 * looks[0].photo_loss


def test_weights_that_make_renders_worse_are_not_kept(tmp_path, held_out, photos):
    strict = dataclasses.replace(SETTINGS, photos=PhotoSettings(batch=2, most_worse=0.02))
    trained, looks = _train(tmp_path, held_out, photos, strict, _dark)
    assert looks[-1].worse > 0.02
    assert looks[-1].loss < looks[0].loss
    assert [look.is_best for look in looks] == [True, False, False]
    assert _same(trained, tiny_network())


def test_the_largest_increase_is_named():
    best = {"points": 1.0, "tone": 2.0, "detail": 0.0}
    share, name = largest_increase({"points": 1.01, "tone": 2.1, "detail": 0.0}, best)
    assert name == "tone"
    assert share == pytest.approx(0.05)
    assert largest_increase({"points": 1.0}, {}) == (0.0, "")


def test_points_and_camera_of_a_photo_move_with_its_picture():
    """A dot in the picture stays where its point is."""
    size = 128
    crop = _crop(0, size)
    image = np.zeros((size, size, 3), dtype=np.uint8)
    points = np.array([[50.5, 60.5], [80.5, 70.5]], dtype=np.float32)
    for x, y in points.astype(int):
        image[y - 1 : y + 2, x - 1 : x + 2] = 255
    batch = photo_batch_of([dataclasses.replace(crop, image_srgb=image, points_px=points)])
    drawn = draw_changes(1, Changes(exposure=0.0, tint=0.0), torch.Generator().manual_seed(3))
    moved = photos_resized(changed_photos(batch, drawn), 96)
    for point in moved.points_px[0]:
        x, y = point.long().tolist()
        assert moved.image_srgb[0, 0, y, x] > 0.5
    assert moved.longer_side_px == pytest.approx(float(40 * drawn.zoom * 96 / size), rel=1e-5)
    # What came in from beyond the border is no photo.
    assert 0.5 < float(moved.inside.mean()) < 1


@pytest.fixture(scope="module")
def folder_of_photos(tmp_path_factory):
    """One face in files that fall on both sides, one of them twice, a blank picture, and no
    photo."""
    folder = tmp_path_factory.mktemp("folder")
    picture = Image.open(data_path("examples/astronaut.png")).convert("RGB")
    wanted = {True: 1, False: 2}
    for quality in range(60, 95):
        encoded = io.BytesIO()
        picture.save(encoded, "jpeg", quality=quality)
        kind = is_held_out(hashlib.sha256(encoded.getvalue()).hexdigest())
        if wanted[kind]:
            wanted[kind] -= 1
            (folder / f"q{quality}.jpg").write_bytes(encoded.getvalue())
    assert not any(wanted.values())
    first = sorted(folder.glob("*.jpg"))[0]
    shutil.copy(first, folder / "the same again.jpg")
    Image.new("RGB", (200, 200), (90, 120, 90)).save(folder / "grass.png")
    (folder / "words.jpg").write_text("no picture")
    return folder


def test_photos_are_searched_once(folder_of_photos, tmp_path, monkeypatch):
    paths = sorted(folder_of_photos.iterdir())
    told = []
    pool = gather_photos(paths, tmp_path, 96, lambda done, of: told.append((done, of)))
    assert told[-1] == (len(paths), len(paths))
    assert (len(pool.training), len(pool.held_out)) == (2, 1)
    reasons = " ".join(reason for _, reason in pool.left_out)
    assert "No face was found" in reasons
    assert "is not a picture" in reasons
    crops = pool.take([*pool.training, *pool.held_out])
    assert crops.image_srgb.shape == (3, 3, 96, 96)
    # The face fills its share of the crop, and the points lie on it.
    box = crops.points_px[:, :468].amax(1) - crops.points_px[:, :468].amin(1)
    torch.testing.assert_close(box.amax(1), torch.full((3,), 96 / 1.6), rtol=1e-3, atol=1e-3)

    def refuse():
        raise AssertionError("searched again")

    monkeypatch.setattr(photo_pool, "FaceDetector", refuse)
    assert gather_photos(paths[::-1], tmp_path, 96) == pool
    # A photo that was taken out of the folder is not shown any more.
    fewer = [path for path in paths if path.name not in ("grass.png", "words.jpg")]
    assert gather_photos(fewer, tmp_path, 96).left_out == ()
    with pytest.raises(AssertionError, match="searched again"):
        gather_photos(paths, tmp_path, 128)


def test_too_few_photos_are_refused(folder_of_photos, tmp_path):
    with pytest.raises(InputError, match="give more photos of faces"):
        gather_photos([folder_of_photos / "grass.png"], tmp_path, 96)
