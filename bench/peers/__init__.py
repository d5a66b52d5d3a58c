"""The peers that are a few lines of code: each as its own documentation would write it."""
