"""Image problems in TensorFlow, on data that needs no download."""
