"""Regions by name, distances from them, and values made smooth over the surface."""

import math

import torch

from fit3dmm.export.regions import region, to_region_mm
from fit3dmm.export.smoothing import averaged, averaged_on_base, base_edges, broad_sums, with_rim
from fit3dmm.model.files import load_model


def test_regions_are_told_together_and_those_that_a_model_lacks_are_empty():
    model = load_model(level=0)
    both = region(model, "lips", "brows", "antlers")
    assert torch.equal(both, torch.maximum(model.regions["lips"], model.regions["brows"]))
    assert not region(model, "antlers").any()


def test_a_region_is_no_way_off_itself_and_one_that_is_lacking_is_as_far_as_one_says():
    model = load_model(level=0)
    away_mm, scalp = to_region_mm(model, "scalp"), model.regions["scalp"] > 0.5
    assert away_mm[scalp].max() < 0.1  # cdist takes square roots of rounded differences
    nose = model.landmarks_mm("ibug68", model.zeros())[30]
    tip = int((model.mean_mm - nose).norm(dim=1).argmin())
    by_hand = (model.mean_mm[scalp] - model.mean_mm[tip]).norm(dim=1).min()
    assert abs(float(away_mm[tip] - by_hand)) < 0.1
    assert to_region_mm(model, "antlers")[0] == math.inf
    assert (to_region_mm(model, "antlers", 35.0) == 35).all()


def test_averages_of_single_values_are_those_of_columns_and_constants_stay():
    model = load_model(level=1)
    edges = model.surface.topology.edges
    values = torch.rand(model.n_vertices, generator=torch.Generator().manual_seed(0))
    assert torch.equal(averaged(values, edges, 3), averaged(values[:, None], edges, 3)[:, 0])
    assert torch.allclose(averaged_on_base(torch.ones_like(values), model, 2), torch.ones(()))
    # The mean of what counts of a constant is the constant, however it is weighted.
    constant = torch.full((model.n_vertices, 2), 0.7)
    sums = broad_sums(constant, values, model, edges, (2, 1))
    assert torch.allclose(sums[:, :2] / sums[:, 2:], torch.tensor(0.7))


def test_a_rim_adds_to_values_and_lies_beside_them():
    model = load_model(level=0)
    edges = base_edges(model)
    values = torch.zeros(model.n_vertices)
    values[100] = 1.0
    wide = with_rim(values, edges, 2, (0.0, 0.1))
    beside = edges[(edges == 100).any(1)].flatten().unique().long()
    assert (wide >= values).all()
    assert (wide[beside] > 0).all()
    assert int((wide > 0).sum()) < 50
