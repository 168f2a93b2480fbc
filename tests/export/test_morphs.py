"""What blendshapes do is found on the part that they bend, and is what the whole surface says."""

import numpy as np
import pytest
import torch

from fit3dmm.export.morphs import movements, vertex_normals
from tests.toy import toy_model


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_normals_turn_as_on_the_whole_surface(share):
    model = toy_model(level=1)
    # Blendshapes that move little of the face, and one that moves nothing.
    basis_mm = model.expression_basis_mm.clone()
    basis_mm[:, ::2], basis_mm[0] = 0.0, 0.0
    model = model.replace(expression_basis_mm=basis_mm)
    person = model.sample(generator=torch.Generator().manual_seed(0), expression=True)
    rest_mm = model.shape_mm(person.neutral())
    normals, n_drawn = vertex_normals(model, rest_mm), round(share * model.n_vertices)
    zeros = torch.zeros_like(person.expression)
    found = list(movements(model, person, rest_mm, n_drawn, zeros))
    assert [one.name for one in found] == list(model.expression_names)
    lifted = model.surface.lift(model.expression_basis_mm)
    for one, moved_mm, weight in zip(found, lifted, person.expression, strict=True):
        turn = (vertex_normals(model, rest_mm + moved_mm) - normals)[:n_drawn].numpy()
        # The same triangles are added up, in groups that are cut elsewhere: float32.
        np.testing.assert_allclose(one.turn, turn, atol=1e-5)
        np.testing.assert_array_equal(one.shift_mm, moved_mm[:n_drawn].numpy())
        assert one.weight == pytest.approx(float(weight))
        seen = np.linalg.norm(one.shift_mm, axis=1) > 0.02
        assert one.moves[seen].all()
    assert not found[0].moves.any()
    assert any(one.moves.any() for one in found[1:])
