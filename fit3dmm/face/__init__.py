"""A fitted face as people use it: its meshes, pictures, edits and files, by one word each."""
