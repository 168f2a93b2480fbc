"""What leaves fit3dmm: meshes, pictures, textures and files."""
