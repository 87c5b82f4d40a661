"""The part of `./dev bench` that needs servers."""
