"""Rotations, cameras, meshes, subdivision and spherical harmonics: geometry that knows no faces."""
