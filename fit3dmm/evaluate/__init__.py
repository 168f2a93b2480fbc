"""Score meshes against scans by the field's protocols: fits of fit3dmm or anybody else's."""
