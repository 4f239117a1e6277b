"""Where images come from: the files of MNIST, and a photo of your own."""
