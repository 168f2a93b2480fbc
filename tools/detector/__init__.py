"""What MediaPipe's detector makes of faces whose points are known."""
