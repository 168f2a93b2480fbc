"""Laws of similarities: they form a group and `T_a_b @ points_b` is `points_a`."""

import numpy as np
import torch

from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.geometry.transform import Similarity


def drawn(seed: int, *batch: int) -> Similarity:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn((*batch, *shape), generator=generator, dtype=torch.float64)

    return Similarity(rotation_matrix(normal(3)), normal(3), normal().exp())


def points(*batch: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(9)
    return torch.randn(*batch, 5, 3, generator=generator, dtype=torch.float64)


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    # A handful of float64 products.
    torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-12)


def test_composition_is_application_after_application() -> None:
    T_a_b, T_b_c, points_c = drawn(0, 2), drawn(1, 2), points(2)
    close((T_a_b @ T_b_c) @ points_c, T_a_b @ (T_b_c @ points_c))


def test_the_inverse_leads_back() -> None:
    T_a_b, points_b = drawn(0), points()
    close(T_a_b.inverse() @ (T_a_b @ points_b), points_b)
    close((T_a_b @ T_a_b.inverse()).matrix(), torch.eye(4, dtype=torch.float64))


def test_identity_moves_nothing() -> None:
    close(Similarity.identity().to(dtype=torch.float64) @ points(), points())


def test_the_matrix_does_the_same() -> None:
    T_a_b, points_b = drawn(3), points()
    homogeneous = torch.nn.functional.pad(points_b, (0, 1), value=1.0)
    close((homogeneous @ T_a_b.matrix().mT)[..., :3], T_a_b @ points_b)


def test_matrices_compose_too() -> None:
    close((drawn(0) @ drawn(1)).matrix(), drawn(0).matrix() @ drawn(1).matrix())


def test_differences_ignore_the_shift_and_directions_the_scale() -> None:
    T_a_b, points_b = drawn(4), points()
    difference = points_b[1:] - points_b[:-1]
    mapped = T_a_b @ points_b
    close(T_a_b.linear_map(difference), mapped[1:] - mapped[:-1])
    close(T_a_b.turn(difference).norm(dim=-1), difference.norm(dim=-1))


def test_one_transform_serves_a_batch_of_points() -> None:
    T_a_b, points_b = drawn(5), points(3)
    close((T_a_b @ points_b)[1], T_a_b @ points_b[1])


def test_arrays_of_points_stay_arrays_in_the_more_precise_type() -> None:
    T_a_b, points_b = drawn(6), points()
    mapped = T_a_b @ points_b.numpy()
    assert isinstance(mapped, np.ndarray)
    close(torch.from_numpy(mapped), T_a_b @ points_b)
    assert (T_a_b @ points_b.float().numpy()).dtype == np.float64
    assert (T_a_b.to(dtype=torch.float32) @ points_b.numpy()).dtype == np.float64
    assert (T_a_b.to(dtype=torch.float32) @ points_b.float().numpy()).dtype == np.float32


def test_in_plane_by_hand() -> None:
    T_crop_photo = Similarity.in_plane(scale=2.0, shift=(10.0, 20.0), rotation_rad=torch.pi / 2)
    # A quarter turn takes x to y; 2 * (1, 0) becomes (0, 2).
    expected = torch.tensor([[10.0, 22.0]])
    torch.testing.assert_close(T_crop_photo @ torch.tensor([[1.0, 0.0]]), expected)
