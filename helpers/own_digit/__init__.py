"""Your own digit (notebook 2, section 10): a photo made into an image like MNIST's, and a pad to draw on."""
