"""Samples that an earlier run made are the same; whatever is wrong with them costs time only."""

from pathlib import Path

import pytest
import torch

from fit3dmm.energy.surface_samples import SurfaceSamples, surface_samples
from fit3dmm.fitting import sample_cache
from fit3dmm.fitting.sample_cache import kept_samples
from tests.toy import toy_model


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path) -> Path:
    """A cache of the test's own, in which models of any size are kept."""
    monkeypatch.setenv("FIT3DMM_HOME", str(tmp_path))
    monkeypatch.setattr(sample_cache, "_WORTH_VALUES", 0)
    return tmp_path / "cache"


def same(one: SurfaceSamples, other: SurfaceSamples) -> bool:
    pairs = [(getattr(one.points, name), getattr(other.points, name)) for name in ("mean", "basis")]
    pairs += [
        (getattr(one, name), getattr(other, name))
        for name in ("albedo_mean_linear", "albedo_basis_linear", "area_mm2")
    ]
    pairs += [
        (getattr(one.places, name), getattr(other.places, name))
        for name in ("triangle", "barycentric")
    ]
    said = [(samples.points.unknowns, samples.points.sizes) for samples in (one, other)]
    return all(torch.equal(a, b) for a, b in pairs) and said[0] == said[1]


def test_the_second_run_reads_what_the_first_made(home, monkeypatch):
    model = toy_model(1)
    made = kept_samples(model, 50)
    assert same(made, surface_samples(model, 50))
    assert len(list(home.glob("samples-*.h5"))) == 1
    monkeypatch.setattr(sample_cache, "surface_samples", lambda *_: pytest.fail("made again"))
    assert same(kept_samples(model, 50), made)


def test_what_makes_other_samples_has_another_name(home):
    model = toy_model(1)
    moved = model.replace(mean_mm=model.mean_mm + 0.001)
    for one, n in ((model, 50), (model, 51), (moved, 50), (toy_model(0), 50)):
        kept_samples(one, n)
    assert len(list(home.iterdir())) == 4


def test_a_damaged_file_is_made_anew(home):
    model = toy_model(1)
    made = kept_samples(model, 50)
    (path,) = home.iterdir()
    for content in (b"", path.read_bytes()[:3000], b"dear diary"):
        path.write_bytes(content)
        assert same(kept_samples(model, 50), made)
    assert same(sample_cache._read(path), made)


def test_without_a_place_to_write_it_works_as_well(home):
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file where the folder would be")
    model = toy_model(1)
    assert same(kept_samples(model, 50), surface_samples(model, 50))
    assert home.read_text().startswith("a file")


def test_files_do_not_heap_up(home, monkeypatch):
    monkeypatch.setattr(sample_cache, "_MOST_FILES", 2)
    for n in (50, 51, 52, 53):
        kept_samples(toy_model(0), n)
    assert len(list(home.iterdir())) == 2
